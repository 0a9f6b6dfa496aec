"""The networks that the baseline can use, and the settings that suit each network."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import timm
import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn
from torch.nn import functional as F

from realface.models.folded_norms import fold_norms
from realface.models.timm_networks import normalisation_of, require_tag
from realface.models.xception import LightXception

LIGHT_XCEPTION = "light_xception"
CLASSIFIER_STD = 0.01
"""Standard deviation of the initial weights of a new classifier on a timm network."""


class LightXceptionClassifier(LightXception):
    """RECCE's light encoder, followed by a classifier; parameters have the same names as in RECCE's encoder.

    Args:
        num_classes: number of logits K.
        dropout: probability of the dropout before the classifier.
    """

    def __init__(self, *, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.feature_width, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Classify images: (B, 3, H, W) -> logits (B, K)."""
        return self.with_middle_map(image)[0]

    def with_middle_map(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Classify images: (B, 3, H, W) -> logits (B, K) and the last map at stride 16 (B, C, h, w)."""
        middle = self.to_attention(self.to_reasoning(self.embed(image)))
        logits: Tensor = self.fc(self.dropout(F.adaptive_avg_pool2d(self.to_features(middle), 1).flatten(1)))
        return logits, middle


def build_encoder(name: str, *, input_size: int, num_classes: int, dropout: float) -> nn.Module:
    """Return a network with random weights and a new classifier: (B, 3, S, S) -> (B, num_classes).

    Args:
        name: network name that `require_encoder` accepts.
        input_size: S, in pixels; a network with a fixed input size is built for this size.
        num_classes: number of logits.
        dropout: probability of the dropout before the classifier.
    """
    if name == LIGHT_XCEPTION:
        return LightXceptionClassifier(num_classes=num_classes, dropout=dropout)
    encoder: nn.Module = timm.create_model(
        name, num_classes=num_classes, drop_rate=dropout, **size_settings(name, input_size)
    )
    for classifier in classifier_names(name):
        _start_small(encoder.get_submodule(classifier))
    return encoder


def _start_small(classifier: nn.Module) -> None:
    """Draw a classifier's weights so that all initial scores are near 0.5.

    timm draws the weights of an EfficientNet with one output from [-1, 1]. Its initial logits are then far apart, and
    the first hundred steps only undo that.
    """
    for part in classifier.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.normal_(part.weight, std=CLASSIFIER_STD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


MIDDLE_STRIDE = 16
"""Image pixels per position of the map that a mask head gets, along one side."""


def with_middle_map(encoder: Any, image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits (B, K) and the encoder's last map at stride 16, (B, C, h, w).

    Args:
        encoder: result of `build_encoder`, with a name that `require_middle_map` accepts.
        image: normalised images, (B, 3, S, S).
    """
    if isinstance(encoder, LightXceptionClassifier):
        return encoder.with_middle_map(image)
    last, (middle,) = encoder.forward_intermediates(image, indices=[_middle_index(encoder)])
    logits: Tensor = encoder.forward_head(last)
    return logits, middle


def middle_width(encoder: Any) -> int:
    """Return the number of channels of the encoder's last map at stride 16."""
    if isinstance(encoder, LightXceptionClassifier):
        return encoder.embedding_width
    return int(encoder.feature_info[_middle_index(encoder)]["num_chs"])


@functools.cache
def require_middle_map(name: str, input_size: int) -> None:
    """Check that an encoder returns a map at stride 16, which a mask head requires.

    Raises:
        ValueError: the encoder has no such map; the message gives the reason.
    """
    if name == LIGHT_XCEPTION:
        return
    with torch.device("meta"):  # shapes without memory or random numbers
        encoder: Any = build_encoder(name, input_size=input_size, num_classes=1, dropout=0.0)
    if _middle_index(encoder) is None:
        raise ValueError(
            f"`mask_head` is not possible with {name}: it has no map at stride {MIDDLE_STRIDE}; leave mask_head out, "
            "or take another encoder"
        )


def _middle_index(encoder: Any) -> int | None:
    """Return the index of the last map at stride 16 among timm's intermediate maps; None without such a map."""
    found = [index for index, one in enumerate(encoder.feature_info) if one["reduction"] == MIDDLE_STRIDE]
    return found[-1] if found else None


def fold_encoder(encoder: nn.Module, *, input_size: int) -> None:
    """Fold an encoder's batch norms into its convolutions, in place.

    Args:
        encoder: result of `build_encoder`.
        input_size: height and width of images that the encoder accepts, in pixels.

    Raises:
        ValueError: the encoder has no batch norm, or has a batch norm that does not follow a convolution.
    """
    fold_norms(encoder, lambda network, image: network(image), input_size=input_size)


@functools.cache
def require_foldable(name: str, input_size: int) -> None:
    """Check that all batch norms of an encoder can be folded.

    Raises:
        ValueError: a batch norm cannot be folded; the message gives the reason.
    """
    with torch.device("meta"):  # shapes without memory or random numbers
        encoder = build_encoder(name, input_size=input_size, num_classes=1, dropout=0.0)
    try:
        fold_encoder(encoder, input_size=input_size)
    except ValueError as error:
        raise ValueError(f"`folded_norms` is not possible with {name}: {error}; leave folded_norms out") from error


def size_settings(name: str, input_size: int) -> dict[str, Any]:
    """Return timm's settings for the size of the images: empty, unless the network has a fixed input size."""
    return {"img_size": input_size} if takes_one_size(name) else {}


def takes_one_size(name: str) -> bool:
    """Return whether a network has a fixed input size, as most transformers have."""
    return name != LIGHT_XCEPTION and bool(timm.get_pretrained_cfg_value(name, "fixed_input_size"))


def classifier_names(name: str) -> tuple[str, ...]:
    """Return the names of the submodules that form a network's classifier."""
    if name == LIGHT_XCEPTION:
        return ("fc",)
    classifier: Any = timm.get_pretrained_cfg_value(name, "classifier")
    return (classifier,) if isinstance(classifier, str) else tuple(classifier)


def require_encoder(name: str) -> None:
    """Check that a name is `light_xception` or an image classifier of timm, with or without the tag of its weights.

    Raises:
        ValueError: unknown name; the message suggests the closest known name.
    """
    architecture = name.partition(".")[0]
    if name == LIGHT_XCEPTION:
        return
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, [LIGHT_XCEPTION, *timm.list_models()], n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"no network is called {name!r}; {hint}known are {LIGHT_XCEPTION} and those of timm")
    require_tag(name)
    if not timm.get_pretrained_cfg_value(name, "classifier"):
        raise ValueError(f"{name} is no classifier of images; take another network of timm")


@functools.cache
def require_input_size(name: str, input_size: int) -> None:
    """Check that a network can be built for, and trained with, images of a size.

    Raises:
        ValueError: invalid size; the message gives the size that the network's weights were trained with.
    """
    try:
        with torch.device("meta"), torch.no_grad():  # shapes without memory or random numbers
            network = build_encoder(name, input_size=input_size, num_classes=1, dropout=0.0)
            network(torch.zeros(2, 3, input_size, input_size))
        _require_whole_patches(network, input_size)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:  # timm's networks differ in type and text
        reason = " ".join(str(error).split())
        usual = settings_of_timm_encoder(name)["input_size"]
        raise ValueError(
            f"{name} cannot take images of {input_size} x {input_size} ({reason}); its own input_size is {usual}"
        ) from error


def _require_whole_patches(network: nn.Module, input_size: int) -> None:
    """Refuse image sizes at which a transformer silently ignores the pixels that do not fill a patch."""
    of_images = (
        module
        for module in network.modules()
        if isinstance(module, PatchEmbed) and module.img_size == (input_size, input_size)
    )
    for embedding in of_images:
        patch = max(embedding.patch_size)
        rest = input_size % patch
        if rest and not embedding.dynamic_img_pad:
            raise ValueError(
                f"no multiple of its patches of {patch} x {patch}; the last {rest} pixels of a row and a column would "
                "be lost"
            )


def settings_of_timm_encoder(name: str) -> Mapping[str, Any]:
    """Return the fields of `BaselineConfig` that suit a timm network; empty for an unknown name."""
    try:
        require_encoder(name)
    except ValueError:
        return MappingProxyType({})
    shape: Any = timm.get_pretrained_cfg_value(name, "input_size")  # (3, height, width)
    return MappingProxyType({"input_size": shape[1], **normalisation_of(name)})
