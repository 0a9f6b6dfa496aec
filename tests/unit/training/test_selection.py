import math

import numpy as np
import pytest

from realface.core.errors import MetricError, TrainingError
from realface.metrics.score_table import ScoreTable
from realface.models.catalog import get_method
from realface.training.selection import Validation, deciding_metric, error_metrics, metric_text, validation_metrics


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


def test_lower_inpainting_error_is_better_and_of_equal_ones_the_earlier_stays():
    low, high = validation(inpainting_error=0.2), validation(inpainting_error=0.3)
    assert low.is_better_than(high, metric="inpainting_error")
    assert not high.is_better_than(low, metric="inpainting_error")
    assert not low.is_better_than(validation(inpainting_error=0.2), metric="inpainting_error")


def test_inpainting_error_is_the_mean_over_the_faces():
    assert error_metrics(np.array([0.1, 0.2, 0.6])) == {"inpainting_error": pytest.approx(0.3)}


def test_error_that_is_no_number_is_counted():
    with pytest.raises(MetricError, match="inpainting error of 2 of 3 real faces is no finite number"):
        error_metrics(np.array([0.1, math.nan, math.inf]))


@pytest.mark.parametrize(("method", "metric"), [("tiny", "video_auc"), ("tiny-reals", "inpainting_error")])
def test_metric_that_is_not_named_is_the_methods_own(method, metric):
    assert deciding_metric(None, get_method(method)) == metric


def test_named_metric_is_taken():
    assert deciding_metric("log_loss", get_method("tiny")) == "log_loss"


@pytest.mark.parametrize(
    ("method", "metric", "text"),
    [
        ("tiny", "inpainting_error", r"tiny learns from fakes too and has no inpainting_error; .* video_auc or auc or"),
        ("tiny-reals", "auc", r"tiny-reals learns from real faces alone and has no auc; .* set it to inpainting_error"),
    ],
)
def test_metric_that_a_method_cannot_have_is_refused(method, metric, text):
    with pytest.raises(TrainingError, match=text):
        deciding_metric(metric, get_method(method))


def test_metrics_are_shown_with_the_digits_that_tell_steps_apart():
    assert metric_text("video_auc", 0.91234) == "video_auc 0.9123"
    assert metric_text("inpainting_error", 0.00312449) == "inpainting error 0.003124"
