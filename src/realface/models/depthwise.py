"""Depthwise convolutions with fast gradients on a CPU in bfloat16.

In bfloat16, oneDNN computes two of these gradients with its reference code, up to a hundred times slower than in
float32: the gradient of the input if the stride is above 1, and of the weight if the kernel is larger than 3 x 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

LARGEST_QUICK_KERNEL = 3
"""Largest kernel size with a fast gradient of the weight in bfloat16."""


class Geometry(NamedTuple):
    """Stride, padding and dilation of a two-dimensional convolution.

    Attributes:
        stride: (height, width).
        padding: zero padding, (height, width).
        dilation: (height, width).
    """

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


class QuickDepthwiseGradients(TorchFunctionMode):
    """Context that computes the slow gradients of depthwise convolutions under bfloat16 autocast in float32.

    Outputs are unchanged, and gradients are at least as accurate as before. Other operations, devices and data types
    are unchanged.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace calls of `torch.conv2d` with slow gradients, and run every other function unchanged."""
        if func is torch.conv2d and _is_bfloat16_training():
            call = _slow_call(*args, **(kwargs or {}))
            if call is not None:
                image, weight, bias, geometry = call
                return DepthwiseConvolution.apply(image.to(torch.bfloat16), weight, bias, geometry)
        return func(*args, **(kwargs or {}))


class DepthwiseConvolution(torch.autograd.Function):
    """A depthwise convolution in the data type of its input; its slow gradients are computed in float32 or better."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        """Convolve an image (B, C, H, W) with a weight (C, 1, k, k) and a bias (C,) or None -> (B, C, h, w)."""
        ctx.save_for_backward(image, weight)
        ctx.geometry = geometry
        ctx.bias_dtype = None if bias is None else bias.dtype
        dtype, (stride, padding, dilation) = image.dtype, geometry
        bias = None if bias is None else bias.to(dtype)
        with torch.autocast(image.device.type, enabled=False):
            return torch.conv2d(image, weight.to(dtype), bias, stride, padding, dilation, image.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        """Return the gradients of image, weight and bias, each in the data type of its tensor.

        Args:
            ctx: context with the saved image and weight.
            gradients: gradient of the output, (B, C, H, W).
        """
        image, weight = ctx.saved_tensors
        gradient, dtype = gradients[0], image.dtype
        full = torch.promote_types(dtype, torch.float32)
        by_image = by_weight = by_bias = None
        if ctx.needs_input_grad[0]:
            is_slow = max(ctx.geometry.stride) > 1
            by_image = _gradient(gradient, image, weight, ctx.geometry, full if is_slow else dtype, of_image=True)
            by_image = by_image.to(dtype)
        if ctx.needs_input_grad[1]:
            is_slow = max(weight.shape[2:]) > LARGEST_QUICK_KERNEL
            by_weight = _gradient(gradient, image, weight, ctx.geometry, full if is_slow else dtype, of_image=False)
            by_weight = by_weight.to(weight.dtype)
        if ctx.bias_dtype is not None and ctx.needs_input_grad[2]:
            by_bias = gradient.sum((0, 2, 3), dtype=full).to(ctx.bias_dtype)
        return by_image, by_weight, by_bias, None


def _is_bfloat16_training() -> bool:
    return (
        torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") is torch.bfloat16
    )


def _slow_call(
    input: Tensor,  # noqa: A002 (torch's name)
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor, Tensor | None, Geometry] | None:
    """Return the arguments of a `torch.conv2d` call with slow gradients in bfloat16; None for any other call."""
    is_depthwise = input.ndim == 4 and groups == input.shape[1] == weight.shape[0] > 1
    if not is_depthwise or input.device.type != "cpu" or isinstance(padding, str):
        return None
    geometry = Geometry(_pair(stride), _pair(padding), _pair(dilation))
    if max(geometry.stride) == 1 and max(weight.shape[2:]) <= LARGEST_QUICK_KERNEL:
        return None
    return input, weight, bias, geometry


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    height, width = (*value, *value)[:2]  # torch also accepts a sequence of one number
    return height, width


def _gradient(
    gradient: Tensor, image: Tensor, weight: Tensor, geometry: Geometry, dtype: torch.dtype, *, of_image: bool
) -> Tensor:
    """Compute one gradient of a depthwise convolution in a data type."""
    if of_image:  # only the shape of the image matters, so it is not converted
        image = torch.empty(image.shape, dtype=dtype, memory_format=torch.channels_last)
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient.to(dtype),
        image.to(dtype),
        weight.to(dtype),
        None,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        False,
        (0, 0),
        image.shape[1],
        (of_image, not of_image, False),
    )[0 if of_image else 1]
    return found
