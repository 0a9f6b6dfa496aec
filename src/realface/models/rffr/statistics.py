"""How surprising a face's residual is beside those of real faces: the score of a detector that never saw a fake."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn

SMALLEST_DIFFERENCE = 1e-4
"""Added before the logarithm, in units of [0, 1]: a fortieth of a grey level."""
NUM_QUANTILES = 201
TAIL = 0.1
"""Share of the real faces, the most surprising, whose distances are described by an exponential tail."""
FEWEST_FACES = 20


class RealStatistics(nn.Module):
    """Mean, spread and distances of the residuals of real faces.

    A face's features are the logarithms of the mean absolute difference of each block. Their Mahalanobis distance from
    those of real faces, with a covariance shrunk after Ledoit and Wolf, is the surprise. The score is the share of the
    real faces that surprise less, so 0.95 is a face such as one real face in twenty; beyond the last tenth of them it
    follows an exponential tail, and never reaches 1.

    Attributes:
        num_faces: faces that it was fitted on; 0: not yet.
    """

    num_faces: Tensor
    mean: Tensor
    whitening: Tensor
    quantiles: Tensor
    tail_scale: Tensor

    def __init__(self, num_blocks: int) -> None:
        super().__init__()
        self.register_buffer("num_faces", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(num_blocks))
        self.register_buffer("whitening", torch.eye(num_blocks))
        self.register_buffer("quantiles", torch.linspace(0, 1, NUM_QUANTILES))
        self.register_buffer("tail_scale", torch.ones(()))

    def logit(self, differences: Tensor) -> Tensor:
        """The log-odds (B,) of the score, from mean absolute differences (B, blocks) in units of [0, 1]."""
        distance = self.distance(differences)
        last = len(self.quantiles) - 1
        start = self.quantiles[round((1 - TAIL) * last)]
        excess = (distance - start).clamp_min(0) / self.tail_scale
        tail = torch.log1p(-TAIL * torch.exp(-excess)) - torch.log(torch.tensor(TAIL)) + excess
        upper = torch.searchsorted(self.quantiles, distance.contiguous()).clamp(1, last)
        low, high = self.quantiles[upper - 1], self.quantiles[upper]
        inner = ((distance - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        share = ((upper - 1 + inner) / last).clamp(0.5 / last, 1 - TAIL)
        return torch.where(distance > start, tail, share.logit())

    def distance(self, differences: Tensor) -> Tensor:
        """(B, blocks) -> (B,), how far a face lies from the real ones, in their standard deviations."""
        return ((features_of(differences) - self.mean) @ self.whitening.T).square().mean(1).sqrt()

    @torch.no_grad()
    def fit(self, differences: Tensor) -> None:
        """Take over what real faces (N, blocks) have, N >= `FEWEST_FACES`."""
        rows = features_of(differences.double())
        estimate = LedoitWolf().fit(rows.cpu().numpy())
        values, vectors = np.linalg.eigh(estimate.covariance_)
        self.mean.copy_(torch.from_numpy(estimate.location_))
        self.whitening.copy_(torch.from_numpy(vectors.T / np.sqrt(values)[:, None]))
        self.num_faces.fill_(len(rows))
        distances = self.distance(differences.to(self.mean.dtype))
        self.quantiles.copy_(torch.quantile(distances, torch.linspace(0, 1, NUM_QUANTILES).to(distances)))
        start = self.quantiles[round((1 - TAIL) * (NUM_QUANTILES - 1))]
        self.tail_scale.copy_((distances[distances > start] - start).mean())


def features_of(differences: Tensor) -> Tensor:
    """The logarithms by which faces are compared."""
    return (differences + SMALLEST_DIFFERENCE).log()
