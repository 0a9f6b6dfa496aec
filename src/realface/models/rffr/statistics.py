"""Distance of a face's residual from the residuals of real faces: the score of a detector that never saw a fake."""

from __future__ import annotations

import math

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn

SMALLEST_DIFFERENCE = 1e-4
"""Constant added before the logarithm, in units of [0, 1]: a fortieth of a grey level."""
NUM_QUANTILES = 201
TAIL = 0.1
"""Share of the real faces with the largest distances, which are described by the tail of a power law."""
TAIL_INDEX = 2
"""Exponent of that tail. An exponential tail would give all faces from very different data the same score of 1."""
LARGEST_LOGIT = 15.0
"""Upper limit of the logit; its score is still below 1 in float32."""
SMALLEST_SPREAD = 0.01
"""Smallest spread of real faces' logarithms and of the tail's distances, in case all real faces are the same image."""
FEWEST_FACES = 20


class RealStatistics(nn.Module):
    """Mean, spread and distances of the residuals of real faces.

    A face's features are the logarithms of the mean absolute differences of each block, fine and coarse. The distance
    of a face is the Mahalanobis distance of its features from real faces' features, with the Ledoit-Wolf shrunk
    covariance. The score is the share of real faces with a smaller distance: one real face in twenty has a score above
    0.95. In the last tenth, the share of faces with a larger distance falls with the square of the distance and never
    reaches 0.

    Attributes:
        num_faces: number of faces for the fit; 0 before the fit.
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
        """Return the distance of each face from real faces, in standard deviations: (B, D) -> (B,)."""
        with torch.autocast(differences.device.type, enabled=False):
            return ((features_of(differences) - self.mean) @ self.whitening.T).square().mean(1).sqrt()

    @torch.no_grad()
    def fit(self, differences: Tensor) -> None:
        """Fit the statistics to the differences of real faces (N, D), N >= `FEWEST_FACES`."""
        estimate = LedoitWolf().fit(features_of(differences.cpu().double()).numpy())
        values, vectors = np.linalg.eigh(estimate.covariance_)
        spreads = np.sqrt(values.clip(SMALLEST_SPREAD**2))
        self.mean.copy_(torch.from_numpy(estimate.location_))
        self.whitening.copy_(torch.from_numpy(vectors.T / spreads[:, None]))
        self.num_faces.fill_(len(differences))
        distances = self.distance(differences.to(self.mean.dtype))
        self.quantiles.copy_(torch.quantile(distances, torch.linspace(0, 1, NUM_QUANTILES).to(distances)))
        excess = (distances - self._tail_start()).clamp_min(0)
        in_tail = (excess > 0).sum().clamp_min(1)  # 0 if the faces with the largest distances are equal
        self.tail_scale.copy_((excess.sum() / in_tail).clamp_min(SMALLEST_SPREAD))

    def _tail_start(self) -> Tensor:
        return self.quantiles[round((1 - TAIL) * (NUM_QUANTILES - 1))]


def features_of(differences: Tensor) -> Tensor:
    """Return the logarithms, (B, D), of mean absolute differences (B, D) in units of [0, 1]."""
    return (differences + SMALLEST_DIFFERENCE).log()
