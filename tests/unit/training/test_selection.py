import math

import pytest

from realface.core.errors import MetricError
from realface.metrics.score_table import ScoreTable
from realface.training.selection import Validation, validation_metrics


def table(labels, scores, videos):
    return ScoreTable.from_columns(
        path=[f"{i}.png" for i in range(len(labels))], label=labels, score=scores, video=videos
    )


def validation(**metrics):
    return Validation(1, metrics)


def test_videos_are_judged_by_the_mean_of_their_crops():
    metrics = validation_metrics(table([0, 0, 1, 1], [0.1, 0.5, 0.4, 0.6], ["a", "a", "b", "b"]))
    assert metrics["video_auc"] == 1.0  # 0.3 against 0.5
    assert metrics["auc"] == 0.75  # of four pairs, 0.5 against 0.4 is wrong


def test_accuracy_is_at_one_half_and_log_loss_in_nats():
    metrics = validation_metrics(table([0, 1], [0.25, 0.25], ["a", "b"]))
    assert metrics["accuracy"] == 0.5
    assert metrics["log_loss"] == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)


def test_one_class_gives_no_metric():
    with pytest.raises(MetricError, match="only reals here"):
        validation_metrics(table([0, 0], [0.1, 0.2], ["a", "b"]))


def test_first_validation_is_the_best():
    assert validation(auc=0.1).is_better_than(None, metric="auc")


def test_higher_auc_is_better():
    assert validation(auc=0.8).is_better_than(validation(auc=0.7), metric="auc")
    assert not validation(auc=0.6).is_better_than(validation(auc=0.7), metric="auc")


def test_lower_log_loss_is_better():
    assert validation(log_loss=0.2).is_better_than(validation(log_loss=0.3), metric="log_loss")


def test_of_equal_aucs_the_lower_log_loss_is_better():
    assert validation(auc=1.0, log_loss=0.2).is_better_than(validation(auc=1.0, log_loss=0.3), metric="auc")
    assert not validation(auc=1.0, log_loss=0.4).is_better_than(validation(auc=1.0, log_loss=0.3), metric="auc")


def test_of_equal_validations_the_earlier_stays():
    first, second = validation(auc=0.7, log_loss=0.3), validation(auc=0.7, log_loss=0.3)
    assert not second.is_better_than(first, metric="auc")
