"""Numbers from labels and scores: AUC, EER, average precision, accuracy, log-loss.

Each takes `labels` (N,), 1 = fake, with both classes present, and `scores` (N,), in [0, 1], the probability of a fake.
"""

from __future__ import annotations

import numpy as np
import sklearn.metrics
from numpy.typing import NDArray

from realface.core.errors import MetricError
from realface.core.labels import Label

METRICS = ("auc", "eer", "average_precision", "accuracy", "log_loss")
"""The numbers of `measure`, in the order in which they are shown."""


def auc(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve: the chance that a fake scores above a real; ties count one half.

    Args:
        labels: (N,), 1 = fake; both classes present.
        scores: (N,), on any scale on which fakes are higher.

    Example:
        >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        0.75
    """
    require_both_classes(labels)
    return float(sklearn.metrics.roc_auc_score(labels, scores))


def average_precision(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Return the mean precision over the steps of recall, with fakes as the positive class; no interpolation.

    Args:
        labels: (N,), 1 = fake; both classes present.
        scores: (N,), on any scale on which fakes are higher.

    Example:
        >>> round(average_precision(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])), 3)
        0.833
    """
    require_both_classes(labels)
    return float(sklearn.metrics.average_precision_score(labels, scores))


def accuracy(labels: NDArray[np.int64], scores: NDArray[np.float64], *, threshold: float) -> float:
    """Return the share of correct answers, with scores of at least `threshold` called fake.

    Args:
        labels: (N,), 1 = fake.
        scores: (N,), on the scale of `threshold`.
        threshold: lowest score that is called fake.

    Example:
        >>> accuracy(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), threshold=0.5)
        0.75
    """
    require_both_classes(labels)
    return float(sklearn.metrics.accuracy_score(labels, scores >= threshold))


def log_loss(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Return the mean negative log-likelihood of the true class, in nats.

    Args:
        labels: (N,), 1 = fake.
        scores: (N,), probability of fake in [0, 1]; clipped to [eps, 1 - eps].
    """
    require_both_classes(labels)
    return float(sklearn.metrics.log_loss(labels, scores, labels=[Label.REAL, Label.FAKE]))


def eer(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Return the equal error rate, computed by `equal_error` on the ROC curve.

    Args:
        labels: (N,), 1 = fake; both classes present.
        scores: (N,), on any scale on which fakes are higher.

    Example:
        >>> eer(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        0.5
    """
    false_positive_rate, true_positive_rate = roc_curve(labels, scores)
    return float(equal_error(false_positive_rate, true_positive_rate))


def roc_curve(
    labels: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates (T,) from (0, 0) to (1, 1), one point per distinct score."""
    require_both_classes(labels)
    false_positive_rate, true_positive_rate, _ = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    return false_positive_rate, true_positive_rate


def equal_error(
    false_positive_rate: NDArray[np.float64], true_positive_rate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the equal error rate of ROC curves: the share of reals called fake equals that of fakes called real.

    Args:
        false_positive_rate: (..., T), rising from 0 to 1.
        true_positive_rate: (..., T), rising from 0 to 1.

    Returns:
        (...,), in [0, 1]: the rate of both errors at the crossing, interpolated linearly between neighbouring points.
    """
    excess = false_positive_rate - (1.0 - true_positive_rate)  # rises from -1 to 1
    after = np.argmax(excess >= 0, axis=-1)[..., np.newaxis]  # >= 1, since the first excess is -1

    def at(values: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
        picked: NDArray[np.float64] = np.take_along_axis(values, index, axis=-1)[..., 0]
        return picked

    low, high = at(excess, after - 1), at(excess, after)
    share = -low / (high - low)
    start = at(false_positive_rate, after - 1)
    return start + share * (at(false_positive_rate, after) - start)


def measure(labels: NDArray[np.int64], scores: NDArray[np.float64], *, threshold: float) -> dict[str, float]:
    """Return every metric of `METRICS`, by name.

    Args:
        labels: (N,), 1 = fake; both classes present.
        scores: (N,), in [0, 1].
        threshold: lowest score that is called fake, in [0, 1].

    Raises:
        MetricError: one class only.
    """
    return {
        "auc": auc(labels, scores),
        "eer": eer(labels, scores),
        "average_precision": average_precision(labels, scores),
        "accuracy": accuracy(labels, scores, threshold=threshold),
        "log_loss": log_loss(labels, scores),
    }


def missing_class(labels: NDArray[np.int64]) -> str | None:
    """Return the reason why these labels give no metric, or None if both classes are present.

    Args:
        labels: (N,), 1 = fake.
    """
    has_real, has_fake = (bool((labels == label).any()) for label in (Label.REAL, Label.FAKE))
    if has_real and has_fake:
        return None
    if not has_real and not has_fake:
        return "no rows; reals and fakes are needed"
    here, lacking = (Label.REAL, Label.FAKE) if has_real else (Label.FAKE, Label.REAL)
    return f"only {here.word}s here; {lacking.word}s are needed too"


def require_both_classes(labels: NDArray[np.int64]) -> None:
    """Refuse labels of one class.

    Args:
        labels: (N,), 1 = fake.

    Raises:
        MetricError: a class is missing.
    """
    if reason := missing_class(labels):
        raise MetricError(reason)
