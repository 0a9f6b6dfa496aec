"""RECCE's three losses."""

from __future__ import annotations

import torch
from torch import Tensor

from realface.core.labels import Label

EPSILON = 1e-6  # keeps the mean over no pairs at 0; release


def reconstruction_errors(reconstruction: Tensor, image: Tensor) -> Tensor:
    """How badly each face was reconstructed.

    Args:
        reconstruction: (B, 3, H, W), in [-1, 1], the network's own range.
        image: (B, 3, H, W), in [-1, 1], what should have been reconstructed.

    Returns:
        (B,) >= 0, the mean absolute error. In [-1, 1] as in the release, so that lambda_1 means the same.
    """
    return (reconstruction - image).abs().mean(dim=(1, 2, 3))


def reconstruction_loss(errors: Tensor, label: Tensor) -> Tensor:
    """Mean absolute error of the reconstruction, over real faces only.

    Fakes are left out so that the decoder learns what real faces look like and nothing else.

    Args:
        errors: (B,), as `reconstruction_errors` gives them.
        label: (B,) int64, 1 = fake.

    Returns:
        Scalar >= 0; exactly 0, with a gradient of 0, when the batch has no real face.

    Source: paper, 3.2.
    """
    real = label == Label.REAL.value  # of a bare enum torch.compile makes a constant
    # no branch on whether there is a real: the decoder stays in the graph, as DDP requires, and a GPU need not wait
    return torch.where(real, errors, 0).sum() / real.sum().clamp(min=1)


def metric_loss(similarity: Tensor, label: Tensor, *, margin: float) -> Tensor:
    """Return a hinge that wants reals alike and fakes unlike reals; pairs of fakes are free, since forgeries differ.

    Args:
        similarity: (B, B), in [0, 1].
        label: (B,) int64, 1 = fake.
        margin: how much more alike two reals should be than a real and a fake.

    Returns:
        Scalar >= 0: max(0, margin - mean over (real, real) + mean over (real, fake)). The mean over no pairs is 0, so
        a batch with a single real, or none, costs at least the margin, without a gradient.

    Source: paper, 3.2; denominators as in the release.
    """
    real, fake = label == Label.REAL.value, label == Label.FAKE.value
    same = (real[:, None] & real[None, :]).fill_diagonal_(False)
    different = (real[:, None] & fake[None, :]) | (fake[:, None] & real[None, :])
    return (margin - _mean_over(similarity, same) + _mean_over(similarity, different)).clamp(min=0)


def _mean_over(similarity: Tensor, pairs: Tensor) -> Tensor:
    return torch.where(pairs, similarity, 0).sum() / (pairs.sum() + EPSILON)
