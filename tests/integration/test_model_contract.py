"""What the rest of the package relies on, for every method of the catalog and each configuration of its own code."""

import dataclasses
import functools

import pytest
import torch

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.models.artifact import load_network, save_artifact
from realface.models.catalog import METHODS, get_method
from realface.models.outputs import Output, ReconstructionOutput, StepResult, Task

SMALL = 64
MAE = {"size": "tiny", "input_size": SMALL, "patch_size": 8}
IN_BLOCKS = {"masking": "block", "blocks_per_image": 1, "residual": {"mode": "fast", "outer_ring": True}}
RFFR = {"mae": MAE, "branch": "vit_tiny_patch16_224"}
CASES = {
    "recce-paper": ("recce", {}),
    "recce-light": ("recce", {"encoder": "light_xception"}),
    "recce-light-two-classes": ("recce", {"encoder": "light_xception", "num_classes": 2}),
    "recce-light-bare": ("recce", {"encoder": "light_xception", "reasoning": False, "attention": False}),
    "recce-timm": ("recce", {"encoder": "mobilenetv4_conv_small"}),
    "rffr-mae": ("rffr-mae", MAE),
    "rffr-mae-whole-face": ("rffr-mae", {**MAE, **IN_BLOCKS}),
    "rffr": ("rffr", RFFR),
    "rffr-released": ("rffr", {**RFFR, "blocks_per_image": 1, "released_indexing": True}),
    "baseline-paper": ("baseline", {}),
    "baseline-light": ("baseline", {"encoder": "light_xception"}),
    "baseline-light-two-classes": ("baseline", {"encoder": "light_xception", "num_classes": 2}),
    "baseline-convolutional": ("baseline", {"encoder": "resnet10t"}),
    "baseline-transformer": ("baseline", {"encoder": "vit_tiny_patch16_224", "input_size": SMALL}),
}


@pytest.fixture(params=CASES)
def case(request):
    """(method, config, network); a network that learns from real faces alone has its score already."""
    method, config = method_and_config(request.param)
    network = build(method, config)
    if method.real_only is not None:
        network.load_state_dict(weights_with_score(request.param))
    return method, config, network


def method_and_config(name):
    method_name, settings = CASES[name]
    method = get_method(method_name)
    return method, method.config_type(**settings)


def build(method, config):
    torch.manual_seed(0)
    return method.build_network(config)


@functools.cache
def weights_with_score(name):
    method, config = method_and_config(name)
    network = build(method, config).eval()
    with torch.no_grad():
        method.real_only.fit(network, [images(method.real_only.fewest_faces)])
    return network.state_dict()


def images(count):
    return torch.rand(count, 3, SMALL, SMALL, generator=torch.Generator().manual_seed(0))


def tensors_of(output):
    for field in dataclasses.fields(output):
        value = getattr(output, field.name)
        values = value if isinstance(value, tuple) else (value,)
        yield from (tensor for tensor in values if tensor is not None)


def test_every_method_has_a_case():
    assert {name for name, _ in CASES.values()} == set(METHODS)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("training", [False, True])
def test_outputs_have_the_documented_shapes_and_ranges(case, count, training):
    _, _, network = case
    with torch.no_grad():
        output = network.train(training)(images(count))
    assert isinstance(output, Output)
    assert output.logit.shape == output.score.shape == (count,)
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors_of(output))
    if isinstance(output, ReconstructionOutput):
        assert output.reconstruction.shape == (count, 3, SMALL, SMALL)
        assert 0 <= output.reconstruction.min() <= output.reconstruction.max() <= 1
        assert output.error_map.shape == (count, 1, SMALL, SMALL)
        assert output.error_map.min() >= 0
        if output.attention is not None:
            assert output.attention.shape[:2] == (count, 1)
            assert 0 <= output.attention.min() <= output.attention.max() <= 1


@pytest.mark.parametrize("label", [[0], [1], [0, 1]])
def test_a_training_step_reaches_every_trainable_parameter(case, label):
    method, _, network = case
    task = method.build_task(network).train()
    assert isinstance(task, Task)
    assert task.network is network
    result = task(images(len(label)), torch.tensor(label))
    assert isinstance(result, StepResult)
    assert all(part.shape == () and not part.requires_grad for part in result.parts.values())
    result.loss.backward()
    trainable = {name: parameter for name, parameter in task.named_parameters() if parameter.requires_grad}
    assert [name for name, parameter in trainable.items() if parameter.grad is None] == []


def test_evaluation_is_repeatable_and_changes_nothing(case):
    _, _, network = case
    network.eval()
    image, before = images(2), {name: value.clone() for name, value in network.state_dict().items()}
    untouched = image.clone()
    with torch.no_grad():
        first, second = network(image), network(image)
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(first), tensors_of(second), strict=True))
    assert torch.equal(image, untouched)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_artifact_gives_the_same_network_back(case, tmp_path):
    method, config, network = case
    network.eval()
    card = ArtifactCard(
        method=method.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=CropSpec.unknown(),
    )
    save_artifact(tmp_path / "artifact", network, card)
    loaded = load_network(tmp_path / "artifact")
    with torch.no_grad():
        expected, got = network(images(2)), loaded(images(2))
    assert loaded.config == config
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(expected), tensors_of(got), strict=True))


def test_the_same_seed_builds_the_same_network(case):
    method, config, _ = case
    networks = []
    for _ in range(2):
        torch.manual_seed(7)
        networks.append(method.build_network(config).state_dict())
    first, second = networks
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_precomputed_inputs_give_the_same_output(case):
    method, config, network = case
    network.eval()
    images = torch.rand(2, 3, SMALL, SMALL, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        computed = network(images)
        for own in method.precomputed:
            given = network(images, **{own.name: own.compute(network, images)})
            torch.testing.assert_close(given.logit, computed.logit)
            assert own.key(config)
