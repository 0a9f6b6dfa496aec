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
    "balanced_accuracy": "highest mean of the shares of reals and fakes judged rightly",
    "equal_error": "reals called fake as often as fakes called real",
}
"""What each rule looks for, in the words that the artifact shows."""


def choose_threshold(
    labels: NDArray[np.int64], scores: NDArray[np.float64], *, rule: ThresholdRule = "balanced_accuracy"
) -> float:
    """Choose the threshold on validation scores; a score of the threshold and above is called fake.

    Candidates lie midway between neighbouring distinct scores, so that the choice keeps its distance from both. Of
    equally good ones the middle one is taken, of two the lower.

    Args:
        labels: (N,), 1 = fake, of the validation videos (or frames).
        scores: (N,), in [0, 1].
        rule: one of `RULES`.

    Returns:
        In (0, 1). `DEFAULT_THRESHOLD` when there is nothing to choose by: one class only, all scores equal, or no
        candidate that is better than chance.

    Raises:
        MetricError: no such rule.
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
    """Choose the threshold on real videos alone: the lowest from which up at most a share of them is called fake.

    Args:
        scores: (N,), N >= 1, in [0, 1], of real validation videos.
        false_positive_rate: the share, in [0, 1).

    Returns:
        In (0, 1]: midway between the lowest score that may be called fake and the one below it; where none may be,
        just above the highest score, or 1 if that is 1.
    """
    distinct, counts = np.unique(scores, return_counts=True)
    called_fake = np.cumsum(counts[::-1])[::-1]  # videos, were each distinct score the threshold
    may_be = called_fake <= false_positive_rate * len(scores) + 1e-9  # a share of a count: up to rounding
    highest_real = distinct[~may_be][-1]
    if not may_be.any():
        return float(min(np.nextafter(highest_real, np.inf), 1.0))
    return float((highest_real + distinct[may_be][0]) / 2)
