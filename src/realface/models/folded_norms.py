"""Batch norms folded into the convolutions before them, for training with fixed statistics."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

NAMED_NORMS = 3
"""Number of norms that an error names; for more norms it only gives their number."""


def fold_norms(network: nn.Module, run: Callable[[Any, Tensor], object], *, input_size: int) -> None:
    """Fold each batch norm into the convolution before it, in place.

    Afterwards the network gives the same output as before in eval mode, up to rounding. It has no statistics and fewer
    parameters: the scale of each norm becomes part of a weight, its shift a bias. Activations inside a norm stay.

    Args:
        network: network with the statistics to use.
        run: (network, images) passes images (1, 3, S, S) through a network with the same structure.
        input_size: S, an image size that the network accepts, in pixels.

    Raises:
        ValueError: the network has no batch norm, or has batch norms that do not follow a convolution; the message
            lists them.
    """
    norms = [name for name, module in network.named_modules() if isinstance(module, _BatchNorm)]
    convolutions = _convolutions_before(network, run, input_size)
    if not norms:
        raise ValueError("it has no batch norms")
    if unfolded := [name for name in norms if name not in convolutions]:
        rest = len(unfolded) - NAMED_NORMS
        more = f" and {rest} more" if rest > 0 else ""
        raise ValueError(f"these batch norms do not follow a convolution: {', '.join(unfolded[:NAMED_NORMS])}{more}")
    for norm_name, convolution_name in convolutions.items():
        norm, convolution = network.get_submodule(norm_name), network.get_submodule(convolution_name)
        _replace(network, convolution_name, _folded(convolution, norm))
        _replace(network, norm_name, norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity())


@torch.no_grad()
def _convolutions_before(network: nn.Module, run: Callable[[Any, Tensor], object], input_size: int) -> dict[str, str]:
    """Return the name of the convolution before each batch norm, for the batch norms that follow a convolution.

    The convolution and the norm must each run once, and only the norm may use the convolution's output.
    """
    traced = copy.deepcopy(network).to("meta").eval()  # shapes only, so a large image costs no memory
    calls: Counter[str] = Counter()
    outputs: list[tuple[str, Tensor]] = []  # keeps the tensors, so that each is a distinct object
    found: dict[str, str] = {}
    for name, module in traced.named_modules():

        def note(module: nn.Module, inputs: tuple[Any, ...], output: Any, *, name: str = name) -> None:
            calls[name] += 1
            if isinstance(module, nn.Conv2d):
                outputs.append((name, output))
            else:
                found.update((name, convolution) for convolution, tensor in outputs if tensor is inputs[0])

        if isinstance(module, nn.Conv2d | _BatchNorm):
            module.register_forward_hook(note)
    run(traced, torch.zeros(1, 3, input_size, input_size, dtype=next(network.parameters()).dtype, device="meta"))
    uses = Counter(found.values())
    return {
        norm: convolution
        for norm, convolution in found.items()
        if calls[norm] == calls[convolution] == uses[convolution] == 1
    }


def _folded(convolution: Any, norm: Any) -> nn.Conv2d:
    """Return one convolution for a convolution and its norm, with weights computed in float64."""
    dtype, is_training = convolution.weight.dtype, convolution.training
    in_float64 = [copy.deepcopy(module).double().eval() for module in (convolution, norm)]
    folded: Any = fuse_conv_bn_eval(in_float64[0], in_float64[1])
    folded.bias.requires_grad_(convolution.weight.requires_grad)  # torch freezes a new bias
    replaced: nn.Conv2d = folded.to(dtype).train(is_training)
    return replaced


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
