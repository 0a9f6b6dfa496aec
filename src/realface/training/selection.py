"""The validation metrics of a step, and the comparison of two steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import MetricError, TrainingError
from realface.metrics.ranking import accuracy, auc, log_loss
from realface.metrics.score_table import ScoreTable
from realface.models.method import Method
from realface.training.recipe import MetricName, PairsSection

SCORE_METRICS: tuple[MetricName, ...] = ("video_auc", "auc", "accuracy", "log_loss")
PAIR_METRICS: tuple[MetricName, ...] = ("pair_auc", "pair_order", "seen_auc", "log_loss")
"""Metrics of a run on pairs; with held-out kinds, `held_out_auc` too."""
ERROR_METRICS: tuple[MetricName, ...] = ("inpainting_error",)
LOWEST_IS_BEST: tuple[MetricName, ...] = ("log_loss", "inpainting_error")


@dataclass(frozen=True)
class Validation:
    """The metrics of one validation.

    Attributes:
        step: steps taken before it.
        metrics: every metric by its name; `accuracy` at 0.5.
    """

    step: int
    metrics: dict[str, float]

    def is_better_than(self, other: Validation | None, *, metric: MetricName) -> bool:
        """Return whether this validation is better than another one.

        If the metric is equal, the lower log-loss is better, then the earlier step. None is never better.

        A small validation set soon gives an AUC of 1; later steps still become more confident.
        """
        if other is None:
            return True
        mine, others = self.metrics[metric], other.metrics[metric]
        if metric in LOWEST_IS_BEST:
            return mine < others
        if mine == others:
            return self.metrics["log_loss"] < other.metrics["log_loss"]
        return mine > others


def metrics_of(method: Method, pairs: PairsSection | None = None) -> tuple[MetricName, ...]:
    """Return the metrics that validation measures; the first is the default of `selection.metric`.

    Args:
        method: method of the recipe.
        pairs: section `pseudo_fakes` of the recipe.
    """
    if pairs is not None:
        return (*PAIR_METRICS, "held_out_auc") if pairs.held_out else PAIR_METRICS
    return SCORE_METRICS if method.real_only is None else ERROR_METRICS


def logged_metrics(method: Method, pairs: PairsSection | None = None) -> tuple[str, ...]:
    """Return the names of all validation metrics of a run: on pairs, also the AUC of each kind."""
    by_kind = () if pairs is None else tuple(f"auc_{kind}" for kind in pairs.validation_kinds)
    return (*metrics_of(method, pairs), *by_kind)


def deciding_metric(asked: MetricName | None, method: Method, pairs: PairsSection | None = None) -> MetricName:
    """Return the metric that chooses the best step.

    Args:
        asked: metric in `selection.metric` of the recipe; None: the default.
        method: method of the recipe.
        pairs: section `pseudo_fakes` of the recipe.

    Raises:
        TrainingError: the method has no such metric.
    """
    known = metrics_of(method, pairs)
    if asked is None:
        return known[0]
    if asked not in known and pairs is not None:
        raise TrainingError(
            f"selection.metric: a run with pseudo_fakes has no {asked}",
            hint=f"leave selection.metric out, or set it to {' or '.join(known)}",
        )
    if asked not in known:
        why = "learns from fakes too" if method.real_only is None else "learns from real faces alone"
        raise TrainingError(
            f"selection.metric: {method.name} {why} and has no {asked}",
            hint=f"leave selection.metric out, or set it to {' or '.join(known)}",
        )
    return asked


def metric_text(metric: MetricName, value: float) -> str:
    """Return a metric as text, such as `video_auc 0.9123` or `inpainting error 0.003124`."""
    if metric == "inpainting_error":
        return f"inpainting error {value:.4g}"
    return f"{metric} {value:.4f}"


def validation_metrics(scores: ScoreTable) -> dict[str, float]:
    """Return every metric of `SCORE_METRICS`; the score of a video is the mean of its crops' scores.

    Raises:
        MetricError: only one class is present.
    """
    videos = scores.video_level()
    return {
        "video_auc": auc(videos.labels, videos.scores),
        "auc": auc(scores.labels, scores.scores),
        "accuracy": accuracy(scores.labels, scores.scores, threshold=0.5),
        "log_loss": log_loss(scores.labels, scores.scores),
    }


def error_metrics(errors: NDArray[np.float64]) -> dict[str, float]:
    """Return every metric of `ERROR_METRICS`.

    Args:
        errors: (rows,) of real faces.

    Raises:
        MetricError: an error is not a number.
    """
    if num_faults := int((~np.isfinite(errors)).sum()):
        raise MetricError(f"the inpainting error of {num_faults} of {len(errors)} real faces is no finite number")
    return {"inpainting_error": float(errors.mean())}
