"""RECCE's three losses."""

from __future__ import annotations

import torch
from torch import Tensor

from realface.core.labels import Label

EPSILON = 1e-6  # keeps the mean over no pairs at 0; release


def reconstruction_errors(reconstruction: Tensor, image: Tensor) -> Tensor:
    """Return the mean absolute reconstruction error of each face.

    Args:
        reconstruction: (B, 3, H, W), in [-1, 1], the network's own range.
        image: target, (B, 3, H, W), in [-1, 1].

    Returns:
        (B,) >= 0, for images in [-1, 1] as in the release, so that lambda_1 has the same meaning.
    """
    return (reconstruction - image).abs().mean(dim=(1, 2, 3))


def reconstruction_loss(errors: Tensor, label: Tensor) -> Tensor:
    """Return the mean absolute error of the reconstruction, over real faces only.

    Fakes are excluded so that the decoder learns only real faces.

    Args:
        errors: result of `reconstruction_errors`, (B,).
        label: (B,) int64, 1 = fake.

    Returns:
        Scalar >= 0; exactly 0, with a gradient of 0, when the batch has no real face.

    Source: paper, 3.2.
    """
    real = label == Label.REAL.value  # torch.compile turns a bare enum into a constant
    # no branch for a batch without real faces: the decoder stays in the graph, as DDP requires, and a GPU does not wait
    return torch.where(real, errors, 0).sum() / real.sum().clamp(min=1)


def metric_loss(similarity: Tensor, label: Tensor, *, margin: float) -> Tensor:
    """Return a hinge loss that makes real faces similar to each other and fakes different from real faces.

    Pairs of two fakes do not count, because forgeries differ.

    Args:
        similarity: (B, B), in [0, 1].
        label: (B,) int64, 1 = fake.
        margin: minimum difference between the mean similarity of two reals and of a real and a fake.

    Returns:
        Scalar >= 0: max(0, margin - mean over (real, real) + mean over (real, fake)). The mean over no pairs is 0, so
        the loss of a batch with at most one real is at least the margin, without a gradient.

    Source: paper, 3.2; denominators as in the release.
    """
    real, fake = label == Label.REAL.value, label == Label.FAKE.value
    same = (real[:, None] & real[None, :]).fill_diagonal_(False)
    different = (real[:, None] & fake[None, :]) | (fake[:, None] & real[None, :])
    return (margin - _mean_over(similarity, same) + _mean_over(similarity, different)).clamp(min=0)


def _mean_over(similarity: Tensor, pairs: Tensor) -> Tensor:
    return torch.where(pairs, similarity, 0).sum() / (pairs.sum() + EPSILON)
