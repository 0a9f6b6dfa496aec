"""Steps that prepare a network for inference: the same output, except for rounding, in less time."""

from __future__ import annotations

import re
from itertools import pairwise

import torch
from timm.models.xception import SeparableConv2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from realface.models.method import InferenceSettings
from realface.models.packed_convolution import pack_convolutions
from realface.models.packed_linear import pack_linears

CONVOLUTION, NORM = re.compile(r"(?:conv|skip)(\d*)"), re.compile(r"(?:bn|skipbn)(\d*)")


def prepare_convolutions(network: nn.Module, settings: InferenceSettings) -> None:
    """Fold the batch norms of Xception blocks into their convolutions and pack the convolutions, in place.

    Other batch norms stay, as in most of timm's encoders: only norms that follow a convolution as in timm's Xception
    are folded.

    Args:
        network: network in eval mode, with the statistics to use.
        settings: settings of the inference.
    """
    _fold_norms(network)
    _set_weights(network, nn.Conv2d, settings.dtype)
    if settings.pack:
        image = torch.zeros(1, 3, settings.input_size, settings.input_size).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.dtype is torch.bfloat16):
            pack_convolutions(network, image)


def prepare_linears(network: nn.Module, settings: InferenceSettings) -> None:
    """Set the type of the linear layers of a transformer and pack them, in place.

    Args:
        network: network in eval mode.
        settings: settings of the inference.
    """
    _set_weights(network, nn.Linear, settings.dtype)
    if settings.pack:
        pack_linears(network)


def _set_weights(network: nn.Module, kind: type[nn.Module], dtype: torch.dtype) -> None:
    for module in network.modules():
        if isinstance(module, kind):
            module.to(dtype)


def _fold_norms(network: nn.Module) -> None:
    """Fold the norms of an Xception into its convolutions, in place."""
    for parent in list(network.modules()):
        for (first_name, first), (second_name, second) in pairwise(list(parent.named_children())):
            convolution = _last_convolution(first)
            if (
                convolution is not None
                and type(second) is nn.BatchNorm2d
                and (isinstance(parent, nn.Sequential) or _belong_together(first_name, second_name))
            ):
                folded = fuse_conv_bn_eval(convolution, second)
                if first is convolution:
                    setattr(parent, first_name, folded)
                else:
                    first.pointwise = folded
                setattr(parent, second_name, nn.Identity())


def _last_convolution(module: nn.Module) -> nn.Conv2d | None:
    if isinstance(module, SeparableConv2d):
        module = module.pointwise
    return module if type(module) is nn.Conv2d else None


def _belong_together(first: str, second: str) -> bool:
    """Return whether timm's Xception calls these two a convolution and its norm: conv1, bn1; skip, skipbn."""
    convolution, norm = CONVOLUTION.fullmatch(first), NORM.fullmatch(second)
    return convolution is not None and norm is not None and convolution[1] == norm[1]
