"""Prepare RFFR's networks for inference."""

from __future__ import annotations

from timm.models.vision_transformer import VisionTransformer
from torch import nn

from realface.models.method import InferenceSettings
from realface.models.preparation import prepare_linears
from realface.models.rffr.mae import MaskedAutoencoder


def prepare_transformers(network: nn.Module, settings: InferenceSettings) -> None:
    """Prepare the transformers of a network, in place; the classifier stays in float32.

    Args:
        network: of `rffr` or `rffr-mae`, or a masked autoencoder, in eval mode.
        settings: of the inference.
    """
    for part in list(network.modules()):
        if isinstance(part, MaskedAutoencoder | VisionTransformer):
            prepare_linears(part, settings)
