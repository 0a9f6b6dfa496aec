"""The baseline's network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from realface.models.baseline.config import MIN_INPUT_SIZE, BaselineConfig
from realface.models.baseline.encoders import (
    build_encoder,
    classifier_names,
    fold_encoder,
    middle_width,
    size_settings,
    takes_one_size,
    with_middle_map,
)
from realface.models.inputs import require_size, require_square_rgb
from realface.models.losses import mask_head
from realface.models.method import InferenceSettings
from realface.models.outputs import Output
from realface.models.preparation import prepare_convolutions
from realface.models.timm_networks import download_weights
from realface.models.weights import read_weights, start_encoder

XCEPTIONS = ("legacy_xception", "light_xception")
"""Encoders with convolutions and norms that `prepare` can fold and pack."""


class Baseline(nn.Module):
    """An image network with a classifier for real and fake."""

    encoder_mean: Tensor
    encoder_std: Tensor

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder_with_norms(config)
        if config.folded_norms:
            fold_encoder(self.encoder, input_size=config.input_size)
        self.mask_head = mask_head(middle_width(self.encoder)) if config.mask_head else None
        self._takes_one_size = takes_one_size(config.encoder)
        # settings, not weights: they are part of the config, so the state dict does not contain them
        self.register_buffer("encoder_mean", torch.tensor(config.encoder_mean).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("encoder_std", torch.tensor(config.encoder_std).reshape(1, 3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # twice as fast on CPUs; required by tensor cores

    def forward(self, image: Tensor) -> Output:
        """Classify images.

        Args:
            image: (B, 3, S, S), S >= 64, in [0, 1]; S = `input_size` if the encoder has a fixed input size.

        Raises:
            ModelInputError: invalid shape.
        """
        self._require_size(image)
        image = (image - self.encoder_mean) / self.encoder_std
        mask: Tensor | None = None
        if self.mask_head is None:
            logits: Tensor = self.encoder(image)  # (B, num_classes)
        else:
            logits, middle = with_middle_map(self.encoder, image)
            mask = _at_least_float32(self.mask_head(middle))
        logits = _at_least_float32(logits)
        logit = logits[:, 0] if self.config.num_classes == 1 else logits[:, 1] - logits[:, 0]
        return Output(logit, manipulation_mask=mask)

    def _require_size(self, image: Tensor) -> None:
        require_square_rgb(image, method="baseline", smallest=MIN_INPUT_SIZE)
        if self._takes_one_size:
            require_size(image, method=self.config.encoder, size=self.config.input_size)


def load_encoder_weights(network: Baseline, file: Path) -> None:
    """Start the encoder from the pretrained weights of a file, such as ImageNet's, without their classifier.

    Args:
        network: network to change in place; only its encoder changes, its classifier stays.
        file: safetensors file, or a state dict saved by torch, with timm's names of the encoder's parameters.

    Raises:
        MissingInputError: no such file.
        ArtifactError: the file cannot be read, or does not fit; the message lists all names that differ.
    """
    take_encoder_weights(network, read_weights(file), where=str(file))


def download_encoder_weights(network: Baseline) -> None:
    """Start the encoder from its weights on timm's hub, fitted to its input size.

    Args:
        network: network to change in place; only its encoder changes, its classifier stays.

    Raises:
        ArtifactError: the hub has no weights for the encoder, or cannot be reached.
    """
    name = network.config.encoder
    weights = download_weights(name, **size_settings(name, network.config.input_size))
    take_encoder_weights(network, weights, where=f"timm's {name}")


def take_encoder_weights(network: Baseline, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Start the encoder from pretrained weights, such as ImageNet's, without their classifier.

    Args:
        network: network to change in place; only its encoder changes.
        weights: tensors of the whole pretrained network, with timm's parameter names.
        where: name of the weights in errors.

    Raises:
        ArtifactError: the weights do not fit; the message lists all names that differ.
    """
    heads, config = _heads(network), network.config
    started = _encoder_with_norms(config) if config.folded_norms else network.encoder  # weights have the norms
    start_encoder(started, weights, is_classifier=lambda name: name.startswith(heads), where=where)
    if config.folded_norms:
        fold_encoder(started, input_size=config.input_size)
        own = {name: value for name, value in network.encoder.state_dict().items() if name.startswith(heads)}
        network.encoder.load_state_dict({**started.state_dict(), **own})


def encoder_parameters(network: Baseline) -> Iterator[nn.Parameter]:
    """Yield the encoder's parameters, without its classifier's."""
    heads = _heads(network)
    return (value for name, value in network.encoder.named_parameters() if not name.startswith(heads))


def prepare(network: Baseline, settings: InferenceSettings) -> None:
    """Prepare a network with an Xception for inference, in place; other networks stay unchanged."""
    if network.config.encoder in XCEPTIONS:
        prepare_convolutions(network, settings)


def _encoder_with_norms(config: BaselineConfig) -> nn.Module:
    return build_encoder(
        config.encoder, input_size=config.input_size, num_classes=config.num_classes, dropout=config.dropout
    )


def _heads(network: Baseline) -> tuple[str, ...]:
    """Return the prefixes of the classifier's parameter names in the encoder."""
    return tuple(f"{name}." for name in classifier_names(network.config.encoder))


def _at_least_float32(tensor: Tensor) -> Tensor:
    """Convert a half-precision tensor, which autocast computes, to float32; keep any other tensor."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
