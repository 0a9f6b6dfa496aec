import copy

import pytest
import torch
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block
from torch import nn

from realface.models.packed_convolution import can_pack
from realface.models.packed_linear import PackedLinear, pack_linears

pytestmark = pytest.mark.skipif(not can_pack(), reason="torch was built without oneDNN")


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_it_answers_what_the_linear_layer_answers(bias: bool, activated: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(24, 40, bias=bias)
    packed = PackedLinear(linear, activated=activated)
    for feature in (torch.randn(24), torch.randn(3, 24), torch.randn(2, 7, 24), torch.randn(2, 24, 7).transpose(1, 2)):
        with torch.inference_mode():
            expected = nn.functional.gelu(linear(feature)) if activated else linear(feature)
            torch.testing.assert_close(packed(feature), expected, rtol=0, atol=1.5e-6)


@pytest.mark.skipif(not can_pack(torch.bfloat16), reason="the processor does not multiply in half precision")
def test_half_precision_stays() -> None:
    packed = PackedLinear(nn.Linear(24, 40).bfloat16(), activated=True)
    assert packed(torch.randn(2, 24)).dtype == torch.bfloat16


def test_a_transformer_s_block_answers_the_same_and_its_gelu_goes_into_a_layer() -> None:
    torch.manual_seed(0)
    block = Block(32, 4, qkv_bias=True).eval()
    packed, tokens = copy.deepcopy(block), torch.randn(2, 9, 32)
    pack_linears(packed)
    with torch.inference_mode():
        torch.testing.assert_close(packed(tokens), block(tokens), rtol=0, atol=9e-7)
    assert not [module for module in packed.modules() if isinstance(module, nn.Linear | nn.GELU)]


def test_other_activations_stay() -> None:
    for activation in (nn.ReLU, lambda: nn.GELU(approximate="tanh")):
        perceptron = Mlp(8, 16, act_layer=activation).eval()
        packed, feature = copy.deepcopy(perceptron), torch.randn(3, 8)
        pack_linears(packed)
        with torch.inference_mode():
            torch.testing.assert_close(packed(feature), perceptron(feature), rtol=0, atol=5e-7)


@pytest.mark.skipif(not can_pack(torch.bfloat16), reason="the processor does not multiply in half precision")
@pytest.mark.parametrize(("dtype", "is_fused"), [(torch.float32, True), (torch.bfloat16, False)])
def test_attention_is_taken_step_by_step_in_half_precision(dtype: torch.dtype, is_fused: bool) -> None:
    block = Block(32, 4).to(dtype)
    pack_linears(block)
    assert block.attn.fused_attn is is_fused
