"""Convolutions with weights in the memory format of the CPU's kernels, so that no call has to convert them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from timm.models.xception import SeparableConv2d
from torch import Tensor, nn

KERNELS: Any = torch.ops.mkldnn
"""oneDNN's, as torch.compile calls them when it freezes a network."""


class PackedConvolution(nn.Module):
    """A convolution for inference on a CPU, with an optional ReLU after it.

    It gives the same output as the original convolution in less time: for one face, the conversion of the weights takes
    a fifth of the network's time.

    Args:
        convolution: convolution with zero padding; its weights are used in their data type.
        input_shape: (B, C, H, W) for which the memory format is chosen; other shapes work too.
        rectified: whether a ReLU follows.
    """

    packed: Tensor

    def __init__(self, convolution: nn.Conv2d, input_shape: Sequence[int], *, rectified: bool) -> None:
        super().__init__()
        self._geometry = (
            list(convolution.padding),
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )
        self._then = "relu" if rectified else "none"
        weight = convolution.weight.detach()
        self._dtype = weight.dtype
        # not a buffer: neither saved nor moved
        self.packed = KERNELS._reorder_convolution_weight(weight, *self._geometry, list(input_shape))
        self.bias = None if convolution.bias is None else convolution.bias.detach()

    def forward(self, feature: Tensor) -> Tensor:
        """Convolve a map: (B, C, H, W) -> (B, K, h, w), in the weights' data type."""
        answer: Tensor = KERNELS._convolution_pointwise(
            feature.to(self._dtype), self.packed, self.bias, *self._geometry, self._then, [], ""
        )
        return answer


def can_pack(dtype: torch.dtype = torch.float32) -> bool:
    """Return whether this build of torch has the kernels, and the processor can run them in that data type."""
    has_kernels: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (has_kernels and hasattr(KERNELS, "_convolution_pointwise")):
        return False
    return dtype is not torch.bfloat16 or bool(KERNELS._is_mkldnn_bf16_supported())


@torch.no_grad()
def pack_convolutions(network: nn.Module, image: Tensor) -> None:
    """Replace a network's convolutions by packed convolutions, in place; a ReLU that follows in a sequence is fused.

    Args:
        network: network in eval mode, on the CPU.
        image: (B, 3, H, W), an example batch of the later size.
    """
    shapes = {
        module: shape for module, shape in _input_shapes(network, image).items() if module.padding_mode == "zeros"
    }
    rectified = {
        convolution: relu
        for sequence in network.modules()
        if isinstance(sequence, nn.Sequential)
        for convolution, relu in _followed_by_relu(sequence)
        if convolution in shapes
    }
    replaced: dict[nn.Module, nn.Module] = {relu: nn.Identity() for relu in rectified.values()}
    for convolution, shape in shapes.items():
        replaced[convolution] = PackedConvolution(convolution, shape, rectified=convolution in rectified)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if child in replaced:
                setattr(parent, name, replaced[child])


def _followed_by_relu(sequence: nn.Sequential) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Yield each convolution with a result that only a ReLU uses, and that ReLU."""
    steps = [step for step in sequence if not isinstance(step, nn.Identity)]
    for step, following in pairwise(steps):
        if type(following) is nn.ReLU:
            yield step.pointwise if isinstance(step, SeparableConv2d) else step, following


def _input_shapes(network: nn.Module, image: Tensor) -> dict[nn.Conv2d, torch.Size]:
    """Return the input shape of each plain convolution that the network calls."""
    shapes: dict[nn.Conv2d, torch.Size] = {}

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(module, nn.Conv2d)
        shapes[module] = inputs[0].shape

    plain = [module for module in network.modules() if type(module) is nn.Conv2d]
    hooks = [module.register_forward_pre_hook(note) for module in plain]
    network(image)
    for hook in hooks:
        hook.remove()
    return shapes
