"""The validation metrics of a step, and which of two steps is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from realface.metrics.ranking import accuracy, auc, log_loss
from realface.metrics.score_table import ScoreTable

MetricName = Literal["video_auc", "auc", "accuracy", "log_loss"]
METRIC_NAMES: tuple[MetricName, ...] = get_args(MetricName)


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes:
        step: steps taken before it.
        metrics: every metric by its name; `accuracy` at 0.5.
    """

    step: int
    metrics: dict[str, float]

    def is_better_than(self, other: Validation | None, *, metric: MetricName) -> bool:
        """Whether this one is better; of equal ones that with the lower log-loss, then the earlier. Any beats None.

        A small validation set soon gives an AUC of 1; later steps still gain in how sure they are.
        """
        if other is None:
            return True
        mine, others = self.metrics[metric], other.metrics[metric]
        if metric == "log_loss" or mine == others:
            return self.metrics["log_loss"] < other.metrics["log_loss"]
        return mine > others


def validation_metrics(scores: ScoreTable) -> dict[str, float]:
    """Every metric that can choose a step; `video_auc` judges each video by the mean of its crops' scores.

    Raises:
        MetricError: one class only.
    """
    videos = scores.video_level()
    return {
        "video_auc": auc(videos.labels, videos.scores),
        "auc": auc(scores.labels, scores.scores),
        "accuracy": accuracy(scores.labels, scores.scores, threshold=0.5),
        "log_loss": log_loss(scores.labels, scores.scores),
    }
