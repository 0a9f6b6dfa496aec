"""What timm knows of its networks: the tags of their weights, how they want their images, the weights themselves."""

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
    """Accept a name of timm without a tag, or with the tag of weights that timm knows, such as `resnet50.a1_in1k`.

    Raises:
        ValueError: another tag; says which there are.
    """
    architecture, dot, tag = name.partition(".")
    if not dot:
        return
    tags = [known.partition(".")[2] for known in timm.list_models(f"{architecture}.*", pretrained=True)]
    if tag not in tags:
        raise ValueError(f"timm has no weights {tag!r} of {architecture}; known: {', '.join(tags) or 'none'}")


def normalisation_of(name: str) -> dict[str, Any]:
    """`encoder_mean` and `encoder_std`, in RGB, of images in [0, 1]: what the weights of that tag were trained with."""
    return {f"encoder_{part}": timm.get_pretrained_cfg_value(name, part) for part in ("mean", "std")}


def download_weights(name: str, **settings: Any) -> dict[str, Tensor]:
    """Return the weights that timm's hub has for a network: those of its tag, or timm's default.

    Args:
        name: with or without tag.
        settings: with which timm builds the network, and fits the weights to it.

    Raises:
        ArtifactError: the hub has none, or could not be reached.
    """
    if not timm.is_model_pretrained(name):
        raise ArtifactError(
            f"timm has no pretrained weights for {name}", hint="leave encoder_weights out, or give a file"
        )
    try:
        weights: dict[str, Tensor] = timm.create_model(name, pretrained=True, **settings).state_dict()
    except (OSError, RuntimeError, ValueError) as error:  # the hub's are OSErrors, those of a damaged file the others
        reason = " ".join(str(error).split())
        raise ArtifactError(
            f"timm's weights of {name} could not be downloaded ({reason})",
            hint="check the network, or give a file as encoder_weights",
        ) from error
    return weights


@functools.cache
def require_branch(name: str) -> None:
    """Accept timm's plain vision transformers whose feature is a class token, with or without a weights' tag.

    Raises:
        ValueError: any other name; says why, and which was probably meant.
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
    """Tokens before those of the patches: the class token, and registers where it has some.

    Args:
        name: one that `require_branch` accepts.
    """
    count: int = _outline(name).num_prefix_tokens
    return count


def _outline(name: str) -> Any:
    """Return the network of a name without values."""
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0)
