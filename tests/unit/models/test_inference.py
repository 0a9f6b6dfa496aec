import pytest
import torch
from torch import nn

from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline
from realface.models.inference import for_inference
from realface.models.packed_convolution import PackedConvolution
from realface.models.packed_linear import PackedLinear
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr


def network_with_statistics(encoder: str) -> Recce:
    torch.manual_seed(0)
    network = Recce(RecceConfig(encoder=encoder, input_size=64))
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
    return network


def weights_of(network: nn.Module, packed: type[nn.Module], plain: type[nn.Module]) -> list[torch.Tensor]:
    """Of layers that were packed, and of those that stay because the processor does not multiply in half precision."""
    layers = [module for module in network.modules() if isinstance(module, packed | plain)]
    return [layer.packed if isinstance(layer, packed) else layer.weight for layer in layers]


def assert_rounding_only(answer: torch.Tensor, expected: torch.Tensor, *, steps: int) -> None:
    """Float32 kernels round at every layer: differences are counted in its steps (2**-23) of the largest value."""
    torch.testing.assert_close(answer, expected, rtol=0, atol=steps * 2**-23 * expected.abs().max().item())


ENCODERS = [
    "light_xception",
    "legacy_xception",
    "resnet18",
    "seresnet18",
    "regnety_002",
    "efficientnet_b0",
    "mobilenetv4_conv_small",
    "convnextv2_atto",
    "inception_next_atto",
    "nf_regnet_b0",
]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_network_made_ready_answers_the_same(encoder: str) -> None:
    network = network_with_statistics(encoder)
    ready = for_inference(network, input_size=64)
    assert network.training
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected, answer = network.eval()(image), ready(image)
    assert_rounding_only(answer.logit, expected.logit, steps=128)
    assert_rounding_only(answer.error_map, expected.error_map, steps=7)


@pytest.mark.parametrize("encoder", ["light_xception", "legacy_xception"])
def test_no_batch_norm_is_left_in_xception(encoder: str) -> None:
    ready = for_inference(Recce(RecceConfig(encoder=encoder, input_size=64)), input_size=64)
    assert not [name for name, module in ready.named_modules() if isinstance(module, nn.BatchNorm2d)]


def test_convolutions_hold_bf16_and_the_logit_is_of_float32() -> None:
    network = network_with_statistics("light_xception")
    ready = for_inference(network, input_size=64, dtype=torch.bfloat16)
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = network.eval()(image)
        with torch.autocast("cpu", torch.bfloat16):
            answer = ready(image)
    assert {weight.dtype for weight in weights_of(ready, PackedConvolution, nn.Conv2d)} == {torch.bfloat16}
    assert answer.logit.dtype == torch.float32
    assert not torch.equal(answer.logit, answer.logit.bfloat16().float())
    torch.testing.assert_close(answer.score, expected.score, rtol=0, atol=1.5e-4)


@pytest.mark.parametrize(("encoder", "is_packed"), [("light_xception", True), ("resnet18", False)])
def test_of_the_baselines_encoders_those_of_recce_are_made_ready(encoder: str, is_packed: bool) -> None:
    network = Baseline(BaselineConfig(encoder=encoder, input_size=64))
    ready = for_inference(network, input_size=64)
    assert any(isinstance(module, PackedConvolution) for module in ready.modules()) == is_packed
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert_rounding_only(ready(image).logit, network.eval()(image).logit, steps=128)


MAE = MaeConfig(size="tiny", input_size=64, patch_size=8)


def detector() -> Rffr:
    torch.manual_seed(0)
    return Rffr(RffrConfig(mae=MAE, branch="vit_tiny_patch16_224")).eval()


def test_the_two_branch_detector_made_ready_answers_the_same() -> None:
    network, image = detector(), torch.rand(2, 3, 64, 64)
    ready = for_inference(network, input_size=64)
    with torch.inference_mode():
        expected, answer = network(image), ready(image)
    assert_rounding_only(answer.residual, expected.residual, steps=200)  # of a difference amplified 4 times
    assert_rounding_only(answer.logits, expected.logits, steps=64)
    linears = [name for name, module in ready.named_modules() if isinstance(module, nn.Linear)]
    assert linears == ["classifier"]


def test_its_transformers_hold_bf16_and_its_logit_is_of_float32() -> None:
    network, image = detector(), torch.rand(2, 3, 64, 64)
    ready = for_inference(network, input_size=64, dtype=torch.bfloat16)
    with torch.inference_mode():
        expected = network(image)
        with torch.autocast("cpu", torch.bfloat16):
            answer = ready(image)
    transformers = [ready.mae, ready.backbone_1, ready.backbone_2]
    assert {weight.dtype for part in transformers for weight in weights_of(part, PackedLinear, nn.Linear)} == {
        torch.bfloat16
    }
    assert answer.logit.dtype == torch.float32
    assert not torch.equal(answer.logit, answer.logit.bfloat16().float())
    torch.testing.assert_close(answer.residual, expected.residual, rtol=0, atol=0.25)  # the worst of 24,576 pixels
    assert (answer.residual - expected.residual).abs().mean() < 6e-3


@pytest.mark.parametrize("kind", [MaskedAutoencoder, RffrMae])
def test_an_mae_alone_is_made_ready_too(kind: type[nn.Module]) -> None:
    ready = for_inference(kind(MAE), input_size=64)
    assert not [module for module in ready.modules() if isinstance(module, nn.Linear)]
