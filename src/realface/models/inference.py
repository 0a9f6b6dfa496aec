"""A network made ready to be used and no longer trained: the same in fewer and cheaper steps."""

from __future__ import annotations

import copy
import re
from itertools import pairwise

import torch
from timm.models.vision_transformer import VisionTransformer
from timm.models.xception import SeparableConv2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from realface.models.baseline.network import Baseline
from realface.models.packed_convolution import can_pack, pack_convolutions
from realface.models.packed_linear import pack_linears
from realface.models.recce.network import Recce
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr

XCEPTIONS = ("legacy_xception", "light_xception")
CONVOLUTION, NORM = re.compile(r"(?:conv|skip)(\d*)"), re.compile(r"(?:bn|skipbn)(\d*)")


def for_inference(network: nn.Module, *, input_size: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A copy in eval mode that answers the same, faster.

    So far for RECCE, for the baseline with its encoders, and for RFFR's networks and its masked autoencoder alone;
    another network is copied as it is.

    Every batch norm that follows a convolution of Xception's kind is folded into its weights, which changes outputs by
    rounding only. Others, as in most of timm's encoders, stay. On a CPU the weights are then laid out for its kernels.

    Args:
        network: with the statistics that are to be used, on its device.
        input_size: height and width of the images that it will be given; others work too.
        dtype: of the weights of convolutions or of transformers; with bfloat16 the copy runs under autocast, which then
            has nothing to cast at every call.
    """
    ready = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    can_be_packed = next(ready.parameters()).device.type == "cpu" and can_pack(dtype)
    if isinstance(network, Recce) or (isinstance(network, Baseline) and network.config.encoder in XCEPTIONS):
        _fold_norms(ready)
        _set_weights(ready, nn.Conv2d, dtype)
        if can_be_packed:
            image = torch.zeros(1, 3, input_size, input_size).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
                pack_convolutions(ready, image)
    elif isinstance(network, Rffr | RffrMae | MaskedAutoencoder):
        for part in list(ready.modules()):
            if isinstance(part, MaskedAutoencoder | VisionTransformer):  # not what decides, which stays in float32
                _set_weights(part, nn.Linear, dtype)
                if can_be_packed:
                    pack_linears(part)
    return ready


def _set_weights(network: nn.Module, kind: type[nn.Module], dtype: torch.dtype) -> None:
    for module in network.modules():
        if isinstance(module, kind):
            module.to(dtype)


def _fold_norms(network: nn.Module) -> None:
    """Put the norms of an Xception into its convolutions, in place."""
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
    """Whether timm's Xception calls these two a convolution and its norm: conv1, bn1; skip, skipbn."""
    convolution, norm = CONVOLUTION.fullmatch(first), NORM.fullmatch(second)
    return convolution is not None and norm is not None and convolution[1] == norm[1]
