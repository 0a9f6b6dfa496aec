"""The score from which a face is called fake, chosen on validation and stored with the model."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import MetricError
from realface.core.labels import Label
from realface.metrics.ranking import missing_class

DEFAULT_THRESHOLD = 0.5
ThresholdRule = Literal["balanced_accuracy", "equal_error"]
RULES: dict[ThresholdRule, str] = {
    "balanced_accuracy": "highest mean of the shares of correctly classified reals and fakes",
    "equal_error": "reals called fake as often as fakes called real",
}
"""Description of each rule, as the artifact shows it."""


def choose_threshold(
    labels: NDArray[np.int64], scores: NDArray[np.float64], *, rule: ThresholdRule = "balanced_accuracy"
) -> float:
    """Choose the threshold on validation scores; scores of at least the threshold are called fake.

    The candidates are the midpoints between neighbouring distinct scores. Among equally good candidates the middle
    candidate is chosen, and the lower of two.

    Args:
        labels: (N,), 1 = fake, of the validation videos (or frames).
        scores: (N,), in [0, 1].
        rule: key of `RULES`.

    Returns:
        A threshold in (0, 1). `DEFAULT_THRESHOLD` if there is only one class, if all scores are equal, or if no
        candidate is better than chance.

    Raises:
        MetricError: `rule` is unknown.

    Example:
        >>> round(choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.8])), 3)
        0.5
    """
    if rule not in RULES:
        raise MetricError(f"no threshold rule {rule!r}; known: {', '.join(RULES)}")
    distinct = np.unique(np.asarray(scores, dtype=np.float64))
    if missing_class(labels) or len(distinct) == 1:
        return DEFAULT_THRESHOLD
    candidates = (distinct[:-1] + distinct[1:]) / 2
    reals, fakes = (np.sort(scores[labels == label]) for label in (Label.REAL, Label.FAKE))
    reals_right = np.searchsorted(reals, candidates, side="left") / len(reals)
    fakes_right = 1.0 - np.searchsorted(fakes, candidates, side="left") / len(fakes)
    balanced = (reals_right + fakes_right) / 2
    merit = balanced if rule == "balanced_accuracy" else -np.abs(reals_right - fakes_right)
    best = np.flatnonzero(merit >= merit.max() - 1e-12)  # counts over counts: equal up to rounding
    chosen = best[(len(best) - 1) // 2]
    return float(candidates[chosen]) if balanced[chosen] > 0.5 else DEFAULT_THRESHOLD


def threshold_on_reals(scores: NDArray[np.float64], *, false_positive_rate: float) -> float:
    """Choose the lowest threshold that calls at most a given share of real videos fake.

    Args:
        scores: (N,), N >= 1, in [0, 1], of real validation videos.
        false_positive_rate: largest share of real videos called fake, in [0, 1).

    Returns:
        A threshold in (0, 1]: midway between the lowest score that may be called fake and the next lower score. If no
        score may be called fake, the next float above the highest score, at most 1.
    """
    distinct, counts = np.unique(scores, return_counts=True)
    called_fake = np.cumsum(counts[::-1])[::-1]  # number of videos called fake, for each distinct score as threshold
    may_be = called_fake <= false_positive_rate * len(scores) + 1e-9  # a share of a count: up to rounding
    highest_real = distinct[~may_be][-1]
    if not may_be.any():
        return float(min(np.nextafter(highest_real, np.inf), 1.0))
    return float((highest_real + distinct[may_be][0]) / 2)
