"""What RFFR's two trainings minimise."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

NORM_EPS = 1e-6
"""Added to a patch's variance. Source: MAE."""


def normalised_patches(patches: Tensor) -> Tensor:
    """Return patches (B, M, P), each minus its mean and divided by its standard deviation. Source: MAE, 3.4."""
    mean, variance = patches.mean(2, keepdim=True), patches.var(2, keepdim=True)
    return (patches - mean) / (variance + NORM_EPS).sqrt()


def inpainting_losses(prediction: Tensor, target: Tensor) -> Tensor:
    """(B,) the mean squared error of each image's hidden patches, both (B, M, P). Source: MAE; RFFR."""
    return (prediction - target).square().flatten(1).mean(1)


def classification_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of logits (B, 2) and labels (B,) int64. Source: RFFR's release."""
    return F.cross_entropy(logits, label)
