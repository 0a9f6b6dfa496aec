"""Information from timm about its networks: the tags of their weights, the normalisation of images, the weights."""

from __future__ import annotations

import difflib
import functools
from typing import Any

import timm
import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from realface.core.errors import ArtifactError


def require_tag(name: str) -> None:
    """Check that the tag in a timm name exists, such as `resnet50.a1_in1k`; names without a tag are valid.

    Raises:
        ValueError: unknown tag; the message lists the known tags.
    """
    architecture, dot, tag = name.partition(".")
    if not dot:
        return
    tags = [known.partition(".")[2] for known in timm.list_models(f"{architecture}.*", pretrained=True)]
    if tag not in tags:
        raise ValueError(f"timm has no weights {tag!r} of {architecture}; known: {', '.join(tags) or 'none'}")


def normalisation_of(name: str) -> dict[str, Any]:
    """Return `encoder_mean` and `encoder_std` of the weights' training images, in RGB, for images in [0, 1]."""
    return {f"encoder_{part}": timm.get_pretrained_cfg_value(name, part) for part in ("mean", "std")}


def download_weights(name: str, **settings: Any) -> dict[str, Tensor]:
    """Return the weights of a network from timm's hub: the weights with its tag, or timm's default.

    Args:
        name: timm's name, with or without a tag.
        settings: timm's settings for the network; the weights are fitted to them.

    Raises:
        ArtifactError: the hub has no weights for the network, or cannot be reached.
    """
    if not timm.is_model_pretrained(name):
        raise ArtifactError(
            f"timm has no pretrained weights for {name}", hint="leave encoder_weights out, or give a file"
        )
    try:
        weights: dict[str, Tensor] = timm.create_model(name, pretrained=True, **settings).state_dict()
    except (OSError, RuntimeError, ValueError) as error:  # OSError: the hub; the other errors: a damaged file
        reason = " ".join(str(error).split())
        raise ArtifactError(
            f"timm's weights of {name} could not be downloaded ({reason})",
            hint="check the network, or give a file as encoder_weights",
        ) from error
    return weights


@functools.cache
def require_branch(name: str) -> None:
    """Check that a name is a plain vision transformer of timm with a class token as its feature; a tag is allowed.

    Raises:
        ValueError: invalid name; the message gives the reason and the closest known name.
    """
    architecture = name.partition(".")[0]
    known = timm.list_models("vit_*")
    if architecture not in known:
        close = difflib.get_close_matches(architecture, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"no vision transformer is called {name!r}; {hint}known: timm's, such as vit_base_patch16_224")
    require_tag(name)
    network = _outline(name)
    if type(network) is not VisionTransformer or network.global_pool != "token" or network.cls_token is None:
        raise ValueError(
            f"{name} has no class token to take a feature from; take another, such as vit_base_patch16_224"
        )
    if type(network.patch_embed) is not PatchEmbed:
        raise ValueError(
            f"{name} makes its patches by a convolutional network, which cannot be built for the MAE's; take "
            "another, such as vit_base_patch16_224"
        )


@functools.cache
def num_prefix_tokens(name: str) -> int:
    """Return the number of tokens before the patch tokens: the class token, and the registers if the network has some.

    Args:
        name: network name that `require_branch` accepts.
    """
    count: int = _outline(name).num_prefix_tokens
    return count


def _outline(name: str) -> Any:
    """Return the network of a name without values."""
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0)
