"""The RECCE network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realface.models.inputs import require_square_rgb
from realface.models.losses import mask_head
from realface.models.outputs import ReconstructionOutput
from realface.models.recce.attention import GuidedAttention
from realface.models.recce.config import MIN_INPUT_SIZE, RecceConfig
from realface.models.recce.decoder import doubling, refinement, to_rgb
from realface.models.recce.encoders.choice import build_encoder, fold_encoder
from realface.models.recce.encoders.encoder import Encoder
from realface.models.recce.graph_reasoning import GraphReasoning
from realface.models.recce.similarity import pooled
from realface.models.timm_networks import download_weights
from realface.models.weights import read_weights, start_encoder

# modules after the pooling of timm's networks; a name that the encoder also has refers to the encoder's module
CLASSIFIERS = ("fc.", "head.", "classifier.", "conv_head.", "norm_head.")


@dataclass(frozen=True)
class RecceOutput(ReconstructionOutput):
    """Output of RECCE.

    Attributes:
        embeddings: pooled features (B, C) of the encoder's embedding and of the decoder's first and second block; the
            metric loss computes its similarity maps from them.
    """

    embeddings: tuple[Tensor, Tensor, Tensor]


class Decoded(NamedTuple):
    """The decoder's maps, for an embedding (B, _, h, w).

    Attributes:
        fine: map at twice the embedding's resolution, (B, _, 2h, 2w).
        finest: map at four times the embedding's resolution, (B, _, 4h, 4w).
        image: reconstruction, (B, 3, 8h, 8w), in [-1, 1].
    """

    fine: Tensor
    finest: Tensor
    image: Tensor


class Recce(nn.Module):
    """Classifies a face by the errors of its reconstruction, which is learnt from real faces.

    Parameters have the names of the authors' checkpoint, without the unused `encoder.fc`.

    Source: paper, figure 2; order of the encoder's parts as in the release.
    """

    encoder: Encoder
    encoder_mean: Tensor
    encoder_std: Tensor

    def __init__(self, config: RecceConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        if config.folded_norms:
            fold_encoder(self.encoder)
        width = self.encoder.embedding_width
        fine, finest, last = config.decoder_widths
        self.decoder1 = doubling(width, fine)
        self.decoder2 = refinement(fine)
        self.decoder3 = doubling(fine, finest)
        self.decoder4 = refinement(finest)
        self.decoder5 = doubling(finest, last)
        self.decoder6 = to_rgb(last)
        self.reasoning = (
            GraphReasoning(width, (fine, finest), vertex_width=config.reasoning_width, dropout=config.dropout)
            if config.reasoning
            else None
        )
        self.attention = GuidedAttention(width, dropout=config.dropout) if config.attention else None
        self.mask_head = mask_head(width) if config.mask_head else None
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(self.encoder.feature_width, config.num_classes)
        # settings, not weights: they are part of the config, so the state dict does not contain them
        self.register_buffer("encoder_mean", _per_channel(config.encoder_mean) * 2 - 1, persistent=False)
        self.register_buffer("encoder_std", _per_channel(config.encoder_std) * 2, persistent=False)
        self.to(memory_format=torch.channels_last)  # twice as fast on CPUs; required by tensor cores

    def forward(self, image: Tensor) -> RecceOutput:
        """Classify and reconstruct faces.

        Args:
            image: (B, 3, H, W), H = W >= 64, in [0, 1]. In training, noise is added to the encoder's input.

        Raises:
            ModelInputError: invalid shape.
        """
        require_square_rgb(image, method="recce", smallest=MIN_INPUT_SIZE)
        image = to_network_range(image)
        embedding = self.encoder.embed((self._noisy(image) - self.encoder_mean) / self.encoder_std)
        decoded = self._decode(self.dropout(embedding))
        reconstruction = F.interpolate(decoded.image, size=image.shape[-2:], mode="bilinear", align_corners=True)

        feature = self.encoder.to_reasoning(embedding)
        if self.reasoning is not None:
            feature = self.reasoning(feature, decoded.fine, decoded.finest) + feature
        feature = self.encoder.to_attention(feature)
        mask = None if self.mask_head is None else _at_least_float32(self.mask_head(feature))
        attention = None
        if self.attention is not None:
            feature, attention = self.attention(image, reconstruction, feature)
        feature = self.encoder.to_features(feature)
        with torch.autocast(image.device.type, enabled=False):  # half precision gives few distinct scores
            logits = self.fc(self.dropout(pooled(feature)))  # (B, num_classes)
        reconstruction = _at_least_float32(reconstruction)
        return RecceOutput(
            logit=logits[:, 0] if self.config.num_classes == 1 else logits[:, 1] - logits[:, 0],
            manipulation_mask=mask,
            reconstruction=from_network_range(reconstruction),
            # / 2, because [-1, 1] is twice as wide as [0, 1]
            error_map=(image - reconstruction).abs().mean(dim=1, keepdim=True) / 2,
            attention=None if attention is None else _at_least_float32(attention),
            embeddings=(pooled(embedding), pooled(decoded.fine), pooled(decoded.finest)),
        )

    def _noisy(self, image: Tensor) -> Tensor:
        """Return the image, in training with noise on some of the batch, as in the release; (B, 3, H, W) in [-1, 1]."""
        if not self.training or self.config.noise_std == 0:
            return image
        chosen = torch.rand(len(image), 1, 1, 1, device=image.device) < self.config.noise_probability
        return (image + torch.randn_like(image) * self.config.noise_std * chosen).clamp(-1, 1)

    def _decode(self, embedding: Tensor) -> Decoded:
        fine = self.decoder2(self.decoder1(embedding))
        finest = self.decoder4(self.decoder3(fine))
        return Decoded(fine, finest, self.decoder6(self.decoder5(finest)))


def load_encoder_weights(network: Recce, file: Path) -> None:
    """Start the encoder from the pretrained weights of a file, such as ImageNet's, without their classifier.

    Args:
        network: network to change in place; only its encoder changes.
        file: safetensors file, or a state dict saved by torch, with timm's names of the encoder's parameters.

    Raises:
        MissingInputError: no such file.
        ArtifactError: the file cannot be read, or does not fit; the message lists all names that differ.
    """
    take_encoder_weights(network, read_weights(file), where=str(file))


def download_encoder_weights(network: Recce) -> None:
    """Start the encoder from its weights on timm's hub: the weights with its tag, or timm's default.

    Args:
        network: network to change in place; only its encoder changes.

    Raises:
        ArtifactError: the hub has no weights for the encoder, or cannot be reached.
    """
    name = network.config.encoder
    take_encoder_weights(network, download_weights(name), where=f"timm's {name}")


def take_encoder_weights(network: Recce, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Start the encoder from pretrained weights, such as ImageNet's, without their classifier.

    Args:
        network: network to change in place; only its encoder changes.
        weights: tensors of the whole pretrained network, with timm's parameter names.
        where: name of the weights in errors.

    Raises:
        ArtifactError: the weights do not fit; the message lists all names that differ.
    """
    is_folded = network.config.folded_norms
    started: Any = build_encoder(network.config.encoder) if is_folded else network.encoder  # weights have the norms
    own = started.state_dict().keys()
    start_encoder(
        started, weights, is_classifier=lambda name: name.startswith(CLASSIFIERS) and name not in own, where=where
    )
    if is_folded:
        fold_encoder(started)
        network.get_submodule("encoder").load_state_dict(started.state_dict())


def encoder_parameters(network: Recce) -> Iterator[nn.Parameter]:
    """Return the encoder's parameters, without the decoder, the reasoning, the attention and the classifier."""
    return network.get_submodule("encoder").parameters()


def to_network_range(image: Tensor) -> Tensor:
    """Map images (B, 3, H, W) from [0, 1] to [-1, 1]: mean 0.5 and standard deviation 0.5, as in the release."""
    return image * 2 - 1


def from_network_range(image: Tensor) -> Tensor:
    """Map images (B, 3, H, W) from [-1, 1] to [0, 1]; clamped, because interpolation may overshoot by rounding."""
    return ((image + 1) / 2).clamp(0, 1)


def _per_channel(values: tuple[float, float, float]) -> Tensor:
    """Return values per channel as (1, 3, 1, 1), for a batch of images."""
    return torch.tensor(values).reshape(1, 3, 1, 1)


def _at_least_float32(tensor: Tensor) -> Tensor:
    """Convert a half-precision tensor, which autocast computes, to float32; keep any other tensor."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
