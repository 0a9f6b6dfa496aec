"""RFFR's detector: a frozen MAE, and two transformers that read the face and its residual."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Self

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.v2.functional import normalize  # type: ignore[import-untyped]

from realface.models.inputs import require_size
from realface.models.rffr.branches import (
    branch_feature,
    build_branch,
    build_mae_branch,
    load_branch,
    released_feature,
    start_as_mae,
)
from realface.models.rffr.config import AS_MAE, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.residual import RffrOutput, grid_of, inpaint, residual_of
from realface.models.timm_networks import download_weights
from realface.models.weights import read_weights


class Rffr(nn.Module):
    """The detector with two branches.

    Attributes:
        mae: the masked autoencoder; never trained here, always in eval mode.
        backbone_1: transformer for the face.
        backbone_2: transformer for the residual.
        classifier: classifier of the features of both branches.

    Source: RFFR; the parts have the names of its release.
    """

    def __init__(self, config: RffrConfig) -> None:
        super().__init__()
        self.config = config
        self.mae = MaskedAutoencoder(config.mae).requires_grad_(False).eval()
        self.backbone_1, self.backbone_2 = _branch(config), _branch(config)
        self.classifier = nn.Linear(2 * self.backbone_1.embed_dim, 2)
        self.grid = grid_of(config.mae, config.residual)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all parts except the MAE, which stays in eval mode."""
        super().train(mode)
        self.mae.eval()
        return self

    def take_mae(self, mae: MaskedAutoencoder) -> None:
        """Copy a trained MAE's weights, in place; branches with the MAE's structure start from its encoder."""
        self.mae.load_state_dict(mae.state_dict())
        if self.config.branch == AS_MAE:
            for branch in (self.backbone_1, self.backbone_2):
                start_as_mae(branch, mae)

    def forward(self, image: Tensor, *, residual: Tensor | None = None, used: Tensor | None = None) -> RffrOutput:
        """Classify faces.

        Args:
            image: (B, 3, S, S) in [0, 1], with the size that the MAE was built for.
            residual: precomputed residual of these faces, (B, 3, S, S); computed here by default.
            used: blocks to use, (B, blocks) bool, with the same number of patches in each row; all by default.

        Raises:
            ModelInputError: wrong image size, or an MAE that cannot inpaint.
        """
        require_size(image, method="rffr", size=self.config.input_size)
        amplification = self.config.residual.amplification
        patches = self._patches(used, image)
        if residual is None:
            inpainted = self.inpainted(image, used=used)
            residual = residual_of(image, inpainted, amplification=amplification)
        else:
            if used is not None:
                residual = self._only(patches, residual)
            inpainted = image + residual / amplification  # up to the residual's clamp
        normed = normalize(image, list(self.config.image_mean), list(self.config.image_std))
        if self.config.released_indexing:
            features = [
                released_feature(self.backbone_1, normed, patches, offset=1),
                released_feature(self.backbone_2, residual, patches, offset=2),
            ]
        else:
            features = [
                branch_feature(self.backbone_1, normed, patches),
                branch_feature(self.backbone_2, residual, patches),
            ]
        feature = torch.cat(features, dim=1)
        with torch.autocast(image.device.type, enabled=False):  # half precision gives few distinct scores
            logits: Tensor = self.classifier(feature.to(self.classifier.weight.dtype))
        return RffrOutput(
            logit=logits[:, 1] - logits[:, 0],
            reconstruction=inpainted.clamp(0, 1),
            error_map=residual.abs().mean(1, keepdim=True),
            residual=residual,
            logits=logits,
            feature=feature,
        )

    @torch.no_grad()
    def inpainted(self, image: Tensor, *, used: Tensor | None = None) -> Tensor:
        """Return faces (B, 3, S, S) with the used blocks inpainted (default: all blocks), not clamped."""
        section = self.config.residual
        return inpaint(self.mae, image, self.grid, mode=section.mode, chunk_size=section.chunk_size, used=used)

    def _patches(self, used: Tensor | None, image: Tensor) -> Tensor:
        """Return the patches (B, K) of the used blocks, block by block."""
        owners = [number for number, block in enumerate(self.grid.blocks) for _ in block.owned]
        patches = torch.tensor(self.grid.patches(), device=image.device).expand(len(image), -1)
        if used is None:
            return patches
        return patches[used[:, owners]].view(len(image), -1)

    def _only(self, patches: Tensor, residual: Tensor) -> Tensor:
        """Return a residual (B, 3, S, S) with 0 outside the patches (B, K), as if only they were inpainted."""
        every = self.mae.to_patches(residual)
        is_kept = torch.zeros(every.shape[:2], dtype=torch.bool, device=every.device).scatter(1, patches, True)
        return self.mae.to_image(every * is_kept[..., None])


def compute_residual(network: Rffr, image: Tensor) -> Tensor:
    """Return the residual (B, 3, S, S) in [-1, 1] of images (B, 3, S, S) in [0, 1], of all blocks."""
    return residual_of(image, network.inpainted(image), amplification=network.config.residual.amplification)


def _branch(config: RffrConfig) -> VisionTransformer:
    if config.branch == AS_MAE:
        return build_mae_branch(config.mae)
    return build_branch(config.branch, input_size=config.input_size, patch_size=config.mae.patch_size)


def load_encoder_weights(network: Rffr, file: Path) -> None:
    """Start both branches from a vision transformer's weights, such as ImageNet's.

    Args:
        network: network to change in place; only its branches change.
        file: safetensors file, or a state dict saved by torch, with timm's names of the transformer's parameters.

    Raises:
        MissingInputError: no such file.
        ArtifactError: the file cannot be read, or does not fit.
    """
    weights = read_weights(file)
    for branch in (network.backbone_1, network.backbone_2):
        load_branch(branch, weights, where=str(file))


def download_encoder_weights(network: Rffr) -> None:
    """Start both branches from their weights on timm's hub.

    Raises:
        ArtifactError: the hub has no weights for a branch, or cannot be reached.
    """
    config = network.config
    weights = download_weights(config.branch, img_size=config.input_size, patch_size=config.mae.patch_size)
    for branch in (network.backbone_1, network.backbone_2):
        load_branch(branch, weights, where=f"timm's {config.branch}")


def encoder_parameters(network: Rffr) -> Iterator[nn.Parameter]:
    """Yield the parameters of both branches, without the classifier."""
    return chain(network.backbone_1.parameters(), network.backbone_2.parameters())


def classification_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Return the cross-entropy of logits (B, 2) and labels (B,) int64. Source: RFFR's release."""
    return F.cross_entropy(logits, label)
