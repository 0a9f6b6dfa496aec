import pytest
import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import RecipeError
from realface.core.recipe import check_recipe
from realface.models.artifact import load_network, save_artifact
from realface.models.catalog import get_method
from realface.models.folded_norms import fold_norms
from realface.models.inference import for_inference

LITE0 = "tf_efficientnet_lite0"


def with_statistics(network, *, seed=0):
    """Give every batch norm random statistics, scales and shifts."""
    generator = torch.Generator().manual_seed(seed)
    for norm in network.modules():
        if isinstance(norm, _BatchNorm):
            for tensor, low in (
                (norm.running_mean, -0.5),
                (norm.running_var, 0.5),
                (norm.bias, -0.5),
                (norm.weight, 0.5),
            ):
                tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + low)
    return network


def norms_in(network):
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def config_of(name, **settings):
    return check_recipe(get_method(name).config_type, {"name": name, **settings}, where="method")


def network_of(name, **settings):
    torch.manual_seed(0)
    return get_method(name).build_network(config_of(name, **settings))


def images(size=64, *, dtype=torch.float64):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype)


def is_of_head(key):
    return not key.startswith("encoder.") or key.startswith(("encoder.classifier.", "encoder.fc."))


@pytest.fixture
def float64():
    """Networks are built in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def call(network, image):
    return network(image)


@pytest.mark.parametrize("name", [LITE0, "resnet18", "mobilenetv3_small_050", "regnety_002"])
def test_folded_network_computes_the_same_in_float64(name):
    torch.manual_seed(0)
    network = with_statistics(timm.create_model(name, num_classes=3)).double().eval()
    with torch.no_grad():
        expected = network(images())
        fold_norms(network, call, input_size=64)
        found = network(images())
    assert norms_in(network) == []
    assert (found - expected).abs().max() < 1e-9 * expected.abs().max()


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("baseline", LITE0), ("baseline", "light_xception"), ("recce", LITE0), ("recce", "light_xception")],
)
def test_folded_method_gives_the_logits_of_its_pretrained_encoder(float64, name, encoder):
    plain = network_of(name, encoder=encoder, input_size=64)
    folded = network_of(name, encoder=encoder, input_size=64, folded_norms=True)
    of_heads = {key: value for key, value in plain.state_dict().items() if is_of_head(key)}
    folded.load_state_dict({**folded.state_dict(), **of_heads})
    weights = with_statistics(plain.encoder).state_dict()
    get_method(name).take_encoder_weights(folded, weights, where="weights")
    with torch.no_grad():
        expected, found = (network.eval()(images()).logit for network in (plain, folded))
    assert norms_in(folded.encoder) == []
    assert (found - expected).abs().max() < 1e-9 * expected.abs().max()


def test_norms_outside_the_encoder_are_kept():
    plain = network_of("recce", encoder="light_xception")
    folded = network_of("recce", encoder="light_xception", folded_norms=True)
    assert len(norms_in(folded)) == len(norms_in(plain)) - len(norms_in(plain.encoder)) > 0


def test_folded_weights_are_trained():
    network = timm.create_model(LITE0, num_classes=1)
    fold_norms(network, call, input_size=64)
    network(images(dtype=torch.float32)).sum().backward()
    assert all(parameter.requires_grad and parameter.grad is not None for parameter in network.parameters())
    assert network.training


def test_artifact_of_a_folded_network_loads_by_its_config(tmp_path):
    network = network_of("recce", encoder="light_xception", input_size=64, folded_norms=True).eval()
    card = ArtifactCard(
        method="recce", config=network.config.model_dump(mode="json"), input_size=64, crop=CropSpec(size=64)
    )
    save_artifact(tmp_path / "artifact", network, card)
    loaded = load_network(tmp_path / "artifact")
    image = images(dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(loaded(image).logit, network(image).logit)
        ready = for_inference(loaded, input_size=64)
        assert torch.allclose(ready(image).logit, network(image).logit, rtol=0, atol=1e-5)


def test_config_of_an_older_artifact_means_norms_that_are_not_folded():
    settings = config_of("recce").model_dump(mode="json")
    del settings["folded_norms"]
    assert check_recipe(get_method("recce").config_type, settings, where="config").folded_norms is False


@pytest.mark.parametrize(
    ("name", "encoder", "reason"),
    [
        ("baseline", "vit_tiny_patch16_224", "it has no batch norms"),
        ("recce", "convnextv2_atto", "it has no batch norms"),
        (
            "baseline",
            "densenet121",
            r"these batch norms do not follow a convolution: features\.denseblock1\.\S+, .* more",
        ),
    ],
)
def test_an_encoder_without_such_norms_is_a_fault_of_the_recipe(name, encoder, reason):
    with pytest.raises(
        RecipeError, match=rf"`folded_norms` is not possible with {encoder}: {reason}; leave folded_norms"
    ):
        config_of(name, encoder=encoder, folded_norms=True)


def test_a_convolution_that_is_used_twice_is_not_folded():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, image):
            return self.norm(self.convolution(self.convolution(image)))

    with pytest.raises(ValueError, match=r"these batch norms do not follow a convolution: norm$"):
        fold_norms(Twice(), call, input_size=8)
