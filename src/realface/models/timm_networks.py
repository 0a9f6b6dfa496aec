"""What timm knows of its networks: the tags of their weights, how they want their images, the weights themselves."""

from __future__ import annotations

from typing import Any

import timm
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
    """The weights that timm's hub has for a network: those of its tag, or timm's default.

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
