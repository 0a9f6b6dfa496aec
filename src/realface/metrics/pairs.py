"""Numbers of pairs of a real face and a fake made from it, with intervals over identities.

The pairs of one identity resemble each other, so the bootstrap draws whole identities with replacement and keeps each
pair together. The draws are the same for every kind of fake, because every kind is made from the same faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from realface.metrics.intervals import LEVEL, percentile_interval
from realface.metrics.summary import FEWEST_VIDEOS, Estimate

NUM_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of pairs.

    Attributes:
        real: (N,), scores of the real faces, on any scale on which fakes are higher.
        fake: (N,), scores of the fakes, on the same scale.
        identities: (N,), name of the identity in each pair.
    """

    real: NDArray[np.float64]
    fake: NDArray[np.float64]
    identities: Sequence[str]


def mean_auc(parts: Sequence[PairScores], *, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> Estimate:
    """Return the mean of the ROC AUC over sets of pairs, such as one for each kind of fake.

    Args:
        parts: at least one set of at least one pair.
        seed: seed of the bootstrap.
        num_resamples: number of bootstrap resamples.
    """
    codes, num_identities = _codes(parts)
    higher = [_higher(part.real[:, None], part.fake[None, :]) for part in parts]
    value = float(np.mean([each.mean() for each in higher]))
    if num_identities < FEWEST_VIDEOS:
        return Estimate(value, None, None, _too_few(num_identities))
    counts = _drawn(num_identities, seed=seed, num_resamples=num_resamples)
    drawn = [_weighted_auc(each, counts[:, own]) for each, own in zip(higher, codes, strict=True)]
    return Estimate(value, *percentile_interval(_known_mean(drawn)), None)


def pair_order(pairs: PairScores, *, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> Estimate:
    """Return the share of pairs whose fake has the higher score; equal scores count half.

    Args:
        pairs: at least one pair.
        seed: seed of the bootstrap.
        num_resamples: number of bootstrap resamples.
    """
    (codes,), num_identities = _codes([pairs])
    right = _higher(pairs.real, pairs.fake)
    if num_identities < FEWEST_VIDEOS:
        return Estimate(float(right.mean()), None, None, _too_few(num_identities))
    weights = _drawn(num_identities, seed=seed, num_resamples=num_resamples)[:, codes]
    return Estimate(float(right.mean()), *percentile_interval(weights @ right / weights.sum(axis=1)), None)


def false_alarm_rate(is_fake: NDArray[np.bool_], identities: Sequence[str]) -> Estimate:
    """Return the share of real videos or photos that are called fake, with its Clopper-Pearson interval.

    The interval counts identities, not videos, as independent trials: it is as wide as if each person had one video.

    Args:
        is_fake: (N,), whether each file is called fake; N >= 1.
        identities: (N,), name of the person in each file.
    """
    rate, trials = float(np.mean(is_fake)), len(set(identities))
    hits, tail = rate * trials, (1 - LEVEL) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(beta.ppf(1 - tail, hits + 1, trials - hits))
    return Estimate(rate, low, high, None)


def _codes(parts: Sequence[PairScores]) -> tuple[list[NDArray[np.int64]], int]:
    """Return the index of each pair's identity, (N,) per part, and the number of identities."""
    number_of: dict[str, int] = {}
    codes = [np.array([number_of.setdefault(name, len(number_of)) for name in part.identities]) for part in parts]
    return codes, len(number_of)


def _drawn(num_identities: int, *, seed: int, num_resamples: int) -> NDArray[np.float64]:
    """(resamples, identities): how often each identity was drawn."""
    chosen = np.random.default_rng(seed).integers(num_identities, size=(num_resamples, num_identities))
    counts = np.zeros((num_resamples, num_identities))
    np.add.at(counts, (np.arange(num_resamples)[:, None], chosen), 1)
    return counts


def _higher(real: NDArray[np.float64], fake: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((fake > real) + 0.5 * (fake == real), dtype=np.float64)


def _weighted_auc(higher: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the AUC of each resample, (R,), with pairs weighted by `weights`; NaN if no pair was drawn."""
    total = weights.sum(axis=1) ** 2
    summed = ((weights @ higher) * weights).sum(axis=1)
    auc: NDArray[np.float64] = np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)
    return auc


def _known_mean(drawn: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    means = np.mean(drawn, axis=0)
    return np.asarray(means[~np.isnan(means)])


def _too_few(num_identities: int) -> str:
    return f"no interval: only {num_identities} identity, at least {FEWEST_VIDEOS} are needed"
