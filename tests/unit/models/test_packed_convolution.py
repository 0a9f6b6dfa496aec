import copy

import pytest
import torch
from timm.models.xception import SeparableConv2d
from torch import nn

from realface.models.packed_convolution import KERNELS, PackedConvolution, can_pack, pack_convolutions

pytestmark = pytest.mark.skipif(not can_pack(), reason="torch was built without oneDNN")


def random_image(channels: int, *, batch: int = 1, side: int = 16) -> torch.Tensor:
    image = torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(0)) - 0.5
    return image.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
        nn.Conv2d(16, 32, 1, bias=False),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2),
    ],
    ids=["strided", "depthwise", "pointwise", "dilated"],
)
def test_it_answers_what_the_convolution_answers(convolution: nn.Conv2d, rectified: bool) -> None:
    convolution = copy.deepcopy(convolution).to(memory_format=torch.channels_last)
    for image in (random_image(convolution.in_channels), random_image(convolution.in_channels, batch=3, side=21)):
        packed = PackedConvolution(convolution, (1, convolution.in_channels, 16, 16), rectified=rectified)
        with torch.inference_mode():
            expected = convolution(image).relu() if rectified else convolution(image)
            torch.testing.assert_close(packed(image), expected, rtol=0, atol=9e-7)


@pytest.mark.skipif(not can_pack(torch.bfloat16), reason="the processor does not multiply in half precision")
def test_half_precision_stays() -> None:
    convolution = nn.Conv2d(4, 4, 1).bfloat16()
    packed = PackedConvolution(convolution, (1, 4, 8, 8), rectified=False)
    assert packed(random_image(4)).dtype == torch.bfloat16


def test_a_relu_goes_into_the_convolution_before_it_and_no_other_does() -> None:
    network = nn.Sequential(
        nn.ReLU(),
        SeparableConv2d(4, 4, 3, padding=1),
        nn.Identity(),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 1),
        nn.Sigmoid(),
        nn.ReLU(),
    ).eval()
    image = random_image(4)
    with torch.inference_mode():
        expected = network(image)
        pack_convolutions(network, image)
        torch.testing.assert_close(network(image), expected, rtol=0, atol=2**-22)
    kinds = [type(step) for step in network]
    assert kinds == [nn.ReLU, SeparableConv2d, nn.Identity, nn.Identity, PackedConvolution, nn.Sigmoid, nn.ReLU]


def test_convolutions_that_are_padded_otherwise_or_never_called_stay() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reflecting = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
            self.spare = nn.Conv2d(4, 4, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.reflecting(image)
            return answer

    network = Both()
    pack_convolutions(network, random_image(4))
    assert type(network.reflecting) is nn.Conv2d
    assert type(network.spare) is nn.Conv2d


def test_half_precision_is_packed_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_it in (True, False):
        monkeypatch.setattr(KERNELS, "_is_mkldnn_bf16_supported", lambda has_it=has_it: has_it)
        assert (can_pack(), can_pack(torch.bfloat16)) == (True, has_it)
