"""Similarity of the faces of a batch, computed from their pooled features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pooled(feature: Tensor) -> Tensor:
    """Return the mean over all positions: (B, C, h, w) -> (B, C), in float32 at least."""
    return feature.mean(dim=(2, 3), dtype=torch.promote_types(feature.dtype, torch.float32))


def similarity_map(embedding: Tensor) -> Tensor:
    """Return the similarity of every pair of a batch.

    Args:
        embedding: pooled features, (B, C).

    Returns:
        (B, B), in [0, 1]: 1 = same direction, 0 = opposite directions.

    Source: paper, 3.2, with (cosine + 1) / 2 as in the release.
    """
    unit = F.normalize(embedding, dim=1)
    return (unit @ unit.T + 1) / 2
