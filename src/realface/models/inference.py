"""Prepare a trained network for inference."""

from __future__ import annotations

import copy

import torch
from torch import nn

from realface.models.catalog import get_method
from realface.models.config import MethodConfig
from realface.models.method import InferenceSettings
from realface.models.packed_convolution import can_pack


def for_inference(network: nn.Module, *, input_size: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return a faster copy in eval mode that gives the same output, except for rounding.

    The network's method makes the changes (`Method.prepare`).

    Args:
        network: network with the statistics to use, on its device; or a part of a network with the config of a method,
            such as a masked autoencoder.
        input_size: expected height and width of the images, in pixels; other sizes work too.
        dtype: data type of the weights of convolutions or transformers. With bfloat16 the copy must run under autocast,
            which then casts no weights.

    Raises:
        MethodError: unknown method name in the network's config.
    """
    ready = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    config: MethodConfig = network.config  # type: ignore[assignment]
    prepare = get_method(config.name).prepare
    if prepare is not None:
        on_cpu = next(ready.parameters()).device.type == "cpu"
        prepare(ready, InferenceSettings(input_size=input_size, dtype=dtype, pack=on_cpu and can_pack(dtype)))
    return ready
