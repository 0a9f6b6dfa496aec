"""RECCE against what the authors' code computes: same images, and the same weights, imported as a user would."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import realface
from realface.cli.main import run
from realface.models.catalog import get_method
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.recce.similarity import similarity_map

REFERENCE = json.loads((Path(__file__).parent / "recce.json").read_text())
CASE = REFERENCE["cases"][0]
# A rounding error can flip a ReLU or a maximum, and gradients jump there. In float64, an error of 1.2e-7 after each
# block of the encoder moved the logits by 4e-8, but these norms by up to 5.7e-4 (attention.gated.0). In float32 the
# largest difference of a norm depends on the order of the sums: contiguous 3e-5 with one thread, 4.8e-4 with two,
# 1.1e-4 without oneDNN; channels last 5.6e-4 with one thread, 1.2e-4 with two.
FLOAT32_GRADIENT_TOLERANCE = 1e-3
PROBED_PIXELS = [(10, 20), (149, 149), (288, 278)]


@pytest.fixture(scope="module")
def artifact(reference_weights, tmp_path_factory):
    """What `realface import` makes of a file such as the authors' code writes."""
    exact = reference_weights(REFERENCE["shapes"], CASE["seed"])
    weights = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in exact.items()}
    folder = tmp_path_factory.mktemp("released")
    torch.save(
        {
            "step": 90000,
            "best_step": 88000,
            "best_metric": np.float64(0.99),
            "eval_metric": "AUC",
            "model": weights,
            "optimizer": {},
            "scheduler": {},
        },
        folder / "recce.bin",
    )
    assert run(["import", "recce", str(folder / "recce.bin"), str(folder / "artifact")]) == 0
    return folder / "artifact"


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=["float64", "float32"])
def step(request, artifact, reference_image):
    """(task, its result on the reference batch after a backward pass, the relative tolerance)."""
    task = get_method("recce").build_task(realface.load_network(artifact).to(request.param)).eval()
    if request.param is torch.float64:  # channels last is slow without oneDNN, which has no float64
        task.to(memory_format=torch.contiguous_format)
    image = reference_image(CASE["batch"], CASE["size"], CASE["seed"]).to(request.param)
    result = task(image, torch.tensor(CASE["labels"]))
    result.loss.backward()
    return task, result, 1e-7 if request.param is torch.float64 else 1e-4


def assert_near(value, reference, rel):
    torch.testing.assert_close(
        torch.as_tensor(value, dtype=torch.float64).detach(),
        torch.tensor(reference, dtype=torch.float64),
        rtol=rel,
        atol=0,
    )


def test_state_dict_has_the_authors_names_and_shapes():
    shapes = {name: list(tensor.shape) for name, tensor in Recce(RecceConfig()).state_dict().items()}
    unused = {"encoder.fc.weight": [1000, 2048], "encoder.fc.bias": [1000]}
    assert shapes | unused == REFERENCE["shapes"]


def test_logits(step):
    _, result, rel = step
    assert_near(result.output.logit, [row[0] for row in CASE["logits"]], rel)


def test_reconstruction(step):
    _, result, rel = step
    reconstruction = 2 * result.output.reconstruction.double() - 1
    expected = CASE["recon"]
    assert_near(reconstruction.mean(), expected["mean"], rel)
    assert_near(reconstruction.std(), expected["std"], rel)
    assert_near(reconstruction.abs().sum(dim=(1, 2, 3)), expected["abs_sum_per_image"], rel)
    rows, columns = zip(*PROBED_PIXELS, strict=True)
    assert_near(reconstruction[:, :, rows, columns].flatten(), expected["probe"], rel)


def test_error_map_is_the_mean_difference_of_image_and_reconstruction(step, reference_image):
    _, result, rel = step
    image = reference_image(CASE["batch"], CASE["size"], CASE["seed"])
    error_map = (image - result.output.reconstruction.double()).abs().mean(dim=1, keepdim=True)
    torch.testing.assert_close(result.output.error_map.double(), error_map, rtol=rel, atol=rel)


def test_similarity_maps(step):
    _, result, rel = step
    for embedding, expected in zip(result.output.embeddings, CASE["similarity"], strict=True):
        assert_near(similarity_map(embedding), expected, rel)


def test_losses(step):
    _, result, rel = step
    expected = CASE["losses"]
    assert_near(result.parts["classification"], expected["flooded"], rel)
    assert_near(result.parts["reconstruction"], expected["reconstruction"], rel)
    assert_near(result.parts["metric"], expected["metric"], rel)
    assert_near(result.loss, expected["total"], rel)


@pytest.mark.parametrize("name", CASE["grad_norms"])
def test_gradient_norm_of(name, step):
    task, _, rel = step
    gradient = task.network.get_parameter(name).grad
    if gradient.dtype == torch.float32:
        rel = FLOAT32_GRADIENT_TOLERANCE
    # summed in float64: over 3 million squares a float32 sum is itself off by 2e-4
    assert gradient.double().norm().item() == pytest.approx(CASE["grad_norms"][name], rel=rel)


def test_only_parameters_that_are_left_out_have_no_gradient(step):
    task, _, _ = step
    without = [name for name, parameter in task.network.named_parameters() if parameter.grad is None]
    assert without == []
    assert CASE["params_without_grad"] == ["encoder.fc.weight", "encoder.fc.bias"]
