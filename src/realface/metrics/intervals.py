"""Bootstrap intervals over videos.

Frames of one video resemble each other, so the bootstrap draws whole videos with replacement, never single frames. It
draws reals and fakes separately (stratified), each as often as the data has them, so every resample has both classes.
The percentile interval shows how much a number would vary with other videos of the same kind, not with other kinds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from realface.core.labels import Label
from realface.metrics.ranking import equal_error

LEVEL = 0.95
DESCRIPTION = "percentile bootstrap over {drawn}, reals and fakes drawn separately"
WEIGHTS_AT_ONCE = 2_000_000
"""Frame weights in memory at a time: limits it to tens of MB for any number of frames."""


def resample(
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    videos: NDArray[np.int64],
    *,
    threshold: float,
    num_resamples: int,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of `ranking.measure` on resamples of the videos.

    A resample is a weight per frame: the number of times its video was drawn. The frames are sorted once; each metric
    is then a sum over the sorted weights, computed for many resamples together.

    Args:
        labels: (N,), both classes present.
        scores: (N,), in [0, 1].
        videos: (N,), index of each row's video, from 0 without gaps; the rows of a video have one label.
        threshold: scores of at least this value are called fake, in [0, 1].
        num_resamples: number of resamples R.
        seed: seed of the random draws.

    Returns:
        (R,) values for each metric, by its name.
    """
    order = np.argsort(-scores, kind="stable")
    labels, scores, videos = labels[order], scores[order], videos[order]
    is_fake = labels == Label.FAKE
    ends = np.flatnonzero(np.append(np.diff(scores) != 0, True))  # equal scores share one point of the curve
    is_right = (scores >= threshold) == is_fake
    eps = np.finfo(np.float64).eps
    surprise = -np.log(np.clip(np.where(is_fake, scores, 1.0 - scores), eps, 1.0 - eps))

    parts: dict[str, list[NDArray[np.float64]]] = {}
    for counts in _drawn_counts(labels, videos, num_resamples=num_resamples, seed=seed):
        weights = counts[:, videos]
        total = weights.sum(axis=1)
        fakes = _cumulated(weights * is_fake, ends)
        reals = _cumulated(weights * ~is_fake, ends)
        values = _curve_metrics(fakes, reals)
        values["accuracy"] = weights @ is_right.astype(np.float64) / total
        values["log_loss"] = weights @ surprise / total
        for name, value in values.items():
            parts.setdefault(name, []).append(value)
    return {name: np.concatenate(values) for name, values in parts.items()}


def resampled_means(values: NDArray[np.float64], *, num_resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the mean of each of `num_resamples` resamples of the values, drawn with replacement.

    Args:
        values: (V,), one per video.
        num_resamples: number of resamples R.
        seed: seed of the random draws.

    Returns:
        (R,) means, each over V drawn values.
    """
    generator = np.random.default_rng(seed)
    drawn = (values[generator.integers(len(values), size=len(values))] for _ in range(num_resamples))
    return np.fromiter((each.mean() for each in drawn), dtype=np.float64, count=num_resamples)


def percentile_interval(values: NDArray[np.float64], *, level: float = LEVEL) -> tuple[float, float]:
    """Return the bounds of the middle `level` of the values.

    Args:
        values: (R,), from resamples.
        level: share of the values between the bounds, in (0, 1).
    """
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _drawn_counts(
    labels: NDArray[np.int64], videos: NDArray[np.int64], *, num_resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Yield chunks (r, V) with the number of times that each video was drawn in each resample.

    All chunks share one generator, so the draws do not depend on the size of a chunk.
    """
    num_videos = int(videos.max()) + 1
    label_of = np.zeros(num_videos, dtype=np.int64)
    label_of[videos] = labels
    groups = [np.flatnonzero(label_of == label) for label in Label]
    generator = np.random.default_rng(seed)
    chunk = max(1, WEIGHTS_AT_ONCE // len(labels))
    for start in range(0, num_resamples, chunk):
        size = min(chunk, num_resamples - start)
        counts = np.zeros((size, num_videos))
        for row in counts:
            for group in groups:
                drawn = generator.integers(len(group), size=len(group))
                row[group] = np.bincount(drawn, minlength=len(group))
        yield counts


def _cumulated(weights: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weight (r, T + 1) summed down to each distinct score, starting with 0."""
    sums = np.cumsum(weights, axis=1)[:, ends]
    return np.concatenate([np.zeros((len(sums), 1)), sums], axis=1)


def _curve_metrics(fakes: NDArray[np.float64], reals: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return AUC, EER and average precision (r,) from the weights (r, T + 1) of fakes and reals called fake."""
    recall = fakes / fakes[:, -1:]
    false_positive_rate = reals / reals[:, -1:]
    called = fakes + reals
    precision = np.divide(fakes, called, out=np.zeros_like(fakes), where=called > 0)
    return {
        "auc": (np.diff(false_positive_rate, axis=1) * (recall[:, 1:] + recall[:, :-1]) / 2).sum(axis=1),
        "eer": equal_error(false_positive_rate, recall),
        "average_precision": (np.diff(recall, axis=1) * precision[:, 1:]).sum(axis=1),
    }
