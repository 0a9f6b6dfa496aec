"""How surprising a face's residual is beside those of real faces: the score of a detector that never saw a fake."""

from __future__ import annotations

import math

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn

SMALLEST_DIFFERENCE = 1e-4
"""Added before the logarithm, in units of [0, 1]: a fortieth of a grey level."""
NUM_QUANTILES = 201
TAIL = 0.1
"""Share of the real faces, the most surprising, whose distances are described by the tail of a power law."""
TAIL_INDEX = 2
"""Power by which that tail falls. An exponential one would give all faces of another world the same score of 1."""
LARGEST_LOGIT = 15.0
"""Whose score is still below 1 in float32."""
SMALLEST_SPREAD = 0.01
"""Of real faces' logarithms, and of the tail's distances: a hundredth, for real faces that are the same picture."""
FEWEST_FACES = 20


class RealStatistics(nn.Module):
    """Mean, spread and distances of the residuals of real faces.

    A face's features are the logarithms of the mean absolute differences of each block, fine and coarse. Their
    Mahalanobis distance from those of real faces, with a covariance shrunk after Ledoit and Wolf, is the surprise. The
    score is the share of the real faces that surprise less, so 0.95 is a face such as one real face in twenty. Beyond
    the last tenth of them the share that surprises more falls with the square of the distance, and never reaches 0.

    Attributes:
        num_faces: faces that it was fitted on; 0: not yet.
    """

    num_faces: Tensor
    mean: Tensor
    whitening: Tensor
    quantiles: Tensor
    tail_scale: Tensor

    def __init__(self, num_differences: int) -> None:
        super().__init__()
        self.register_buffer("num_faces", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(num_differences))
        self.register_buffer("whitening", torch.eye(num_differences))
        self.register_buffer("quantiles", torch.linspace(0, 1, NUM_QUANTILES))
        self.register_buffer("tail_scale", torch.ones(()))

    def logit(self, differences: Tensor) -> Tensor:
        """Return the log-odds (B,) of the score, from mean absolute differences (B, D) in units of [0, 1]."""
        distance = self.distance(differences)
        last = len(self.quantiles) - 1
        start = self._tail_start()
        excess = (distance - start).clamp_min(0) / self.tail_scale
        share_above = TAIL * (1 + excess) ** -TAIL_INDEX
        tail = torch.log1p(-share_above) - math.log(TAIL) + TAIL_INDEX * excess.log1p()
        upper = torch.searchsorted(self.quantiles, distance.contiguous()).clamp(1, last)
        low, high = self.quantiles[upper - 1], self.quantiles[upper]
        inner = ((distance - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        share = ((upper - 1 + inner) / last).clamp(0.5 / last, 1 - TAIL)
        return torch.where(distance > start, tail, share.logit()).clamp_max(LARGEST_LOGIT)

    def distance(self, differences: Tensor) -> Tensor:
        """(B, D) -> (B,), how far a face lies from the real ones, in their standard deviations."""
        with torch.autocast(differences.device.type, enabled=False):
            return ((features_of(differences) - self.mean) @ self.whitening.T).square().mean(1).sqrt()

    @torch.no_grad()
    def fit(self, differences: Tensor) -> None:
        """Take over what real faces (N, D) have, N >= `FEWEST_FACES`."""
        estimate = LedoitWolf().fit(features_of(differences.cpu().double()).numpy())
        values, vectors = np.linalg.eigh(estimate.covariance_)
        spreads = np.sqrt(values.clip(SMALLEST_SPREAD**2))
        self.mean.copy_(torch.from_numpy(estimate.location_))
        self.whitening.copy_(torch.from_numpy(vectors.T / spreads[:, None]))
        self.num_faces.fill_(len(differences))
        distances = self.distance(differences.to(self.mean.dtype))
        self.quantiles.copy_(torch.quantile(distances, torch.linspace(0, 1, NUM_QUANTILES).to(distances)))
        excess = (distances - self._tail_start()).clamp_min(0)
        in_tail = (excess > 0).sum().clamp_min(1)  # none, where the most surprising faces are the same one
        self.tail_scale.copy_((excess.sum() / in_tail).clamp_min(SMALLEST_SPREAD))

    def _tail_start(self) -> Tensor:
        return self.quantiles[round((1 - TAIL) * (NUM_QUANTILES - 1))]


def features_of(differences: Tensor) -> Tensor:
    """Return the logarithms, (B, D), of mean absolute differences (B, D) in units of [0, 1]."""
    return (differences + SMALLEST_DIFFERENCE).log()
