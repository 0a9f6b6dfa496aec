"""The available encoders, and the settings that suit each encoder."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import timm
import torch
from torch import Tensor, nn

from realface.models.folded_norms import fold_norms
from realface.models.recce.encoders.encoder import Encoder
from realface.models.recce.encoders.families import FAMILIES, timm_encoders
from realface.models.recce.encoders.timm_encoder import TimmEncoder
from realface.models.timm_networks import normalisation_of, require_tag
from realface.models.xception import LegacyXception, LightXception

XCEPTIONS: Mapping[str, Callable[[], Encoder]] = MappingProxyType(
    {"legacy_xception": LegacyXception, "light_xception": LightXception}
)


def build_encoder(name: str) -> Encoder:
    """Return an encoder with random weights, by a name that `require_encoder` accepts."""
    return XCEPTIONS[name]() if name in XCEPTIONS else TimmEncoder(name)


def fold_encoder(encoder: Encoder) -> None:
    """Fold an encoder's batch norms into its convolutions, in place.

    Raises:
        ValueError: the encoder has no batch norm, or has a batch norm that does not follow a convolution.
    """

    def run(network: Encoder, image: Tensor) -> Tensor:
        return network.to_features(network.to_attention(network.to_reasoning(network.embed(image))))

    assert isinstance(encoder, nn.Module)
    fold_norms(encoder, run, input_size=64)


@functools.cache
def require_foldable(name: str) -> None:
    """Check that all batch norms of an encoder can be folded.

    Raises:
        ValueError: a batch norm cannot be folded; the message gives the reason.
    """
    with torch.device("meta"):  # shapes without memory or random numbers
        encoder = build_encoder(name)
    try:
        fold_encoder(encoder)
    except ValueError as error:
        raise ValueError(f"`folded_norms` is not possible with {name}: {error}; leave folded_norms out") from error


def require_encoder(name: str) -> None:
    """Check that a name is an encoder: an Xception or a network of the supported timm families; a tag is allowed.

    Raises:
        ValueError: unknown name; the message lists the supported names and suggests the closest name.
    """
    architecture = name.partition(".")[0]
    if name in XCEPTIONS:
        return
    if architecture in timm_encoders():
        require_tag(name)
        return
    families = "; ".join(f"{family.title} (such as {family.example})" for family in FAMILIES)
    supported = f"supported are {', '.join(XCEPTIONS)} and timm's {families}"
    if timm.is_model(architecture):
        raise ValueError(f"{name} cannot be cut for RECCE's decoder, reasoning and attention; {supported}")
    close = difflib.get_close_matches(architecture, [*XCEPTIONS, *timm_encoders()], n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ValueError(f"no encoder is called {name!r}; {hint}{supported}")


@functools.cache
def settings_of_timm_encoder(name: str) -> Mapping[str, Any]:
    """Return the fields of `RecceConfig` that suit a network of timm; empty if it is not supported.

    The decoder's first width and the vertices' is a third of the embedding's, as a power of two from 64 to 256: of
    both Xceptions this gives the widths that they have.
    """
    try:
        require_encoder(name)
    except ValueError:
        return MappingProxyType({})
    with torch.device("meta"):  # shapes without memory or random numbers
        embedding_width = TimmEncoder(name).embedding_width
    width = min(max(2 ** round(math.log2(embedding_width / 3)), 64), 256)
    return MappingProxyType(
        {
            "input_size": 256,
            "decoder_widths": (width, width // 2, width // 4),
            "reasoning_width": width,
            **normalisation_of(name),
        }
    )
