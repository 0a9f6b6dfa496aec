import csv
import math
import time

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from realface.training.logs import MetricAverages, Stopwatch, open_log
from realface.training.processes import Processes

METRICS = {"video_auc": 0.9, "auc": 0.8, "accuracy": 0.7, "log_loss": 0.6}


@pytest.fixture
def run(tmp_path):
    with open_log(tmp_path, metrics=list(METRICS)) as log:
        log.write(10, {"lr": 0.1, "loss": 0.5, "metric": 2.0}, {})
        log.write(20, {"lr": 0.05, "loss": 0.25, "metric": 1.0}, METRICS)
    return tmp_path


def test_csv_has_one_row_per_logged_step(run):
    rows = list(csv.DictReader((run / "log.csv").open(encoding="utf-8")))
    assert [row["step"] for row in rows] == ["10", "20"]
    assert [row["loss"] for row in rows] == ["0.5", "0.25"]


def test_csv_leaves_validation_empty_where_there_was_none(run):
    rows = list(csv.DictReader((run / "log.csv").open(encoding="utf-8")))
    assert [row["val_video_auc"] for row in rows] == ["", "0.9"]


def test_tensorboard_holds_losses_by_part_rate_and_validation(run):
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert set(board.Tags()["scalars"]) == {"train/lr", "train/loss", "train/metric", *(f"val/{n}" for n in METRICS)}
    assert [(event.step, event.value) for event in board.Scalars("train/loss")] == [(10, 0.5), (20, 0.25)]


def test_rows_are_on_disk_while_the_run_goes_on(tmp_path):
    with open_log(tmp_path, metrics=list(METRICS)) as log:
        log.write(1, {"loss": 1.0}, {})
        assert "1," in (tmp_path / "log.csv").read_text(encoding="utf-8")


def test_pictures_go_to_tensorboard(tmp_path):
    with open_log(tmp_path, metrics=list(METRICS)) as log:
        log.show(4, {"faces": torch.rand(3, 8, 8)})
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Images("faces")] == [4]


def test_resumed_log_drops_what_comes_again_and_half_a_row(run):
    with (run / "log.csv").open("a", encoding="utf-8") as file:
        file.write("30,0.0")
    with open_log(run, metrics=list(METRICS), first_step=20) as log:
        log.write(20, {"lr": 0.05, "loss": 0.75, "metric": 1.0}, METRICS)
    rows = list(csv.DictReader((run / "log.csv").open(encoding="utf-8")))
    assert [(row["step"], row["loss"]) for row in rows] == [("10", "0.5"), ("20", "0.75")]
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in board.Scalars("train/loss")] == [(10, 0.5), (20, 0.75)]


def test_log_that_is_taken_up_before_its_first_row_begins_anew(run):
    with open_log(run, metrics=list(METRICS), first_step=1) as log:
        log.write(5, {"loss": 1.0}, {})
    assert [row["step"] for row in csv.DictReader((run / "log.csv").open(encoding="utf-8"))] == ["5"]
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("train/loss")] == [5]


def means_of(losses):
    means = MetricAverages()
    for loss in losses:
        means.add({"loss": torch.tensor(loss), "half": torch.tensor(loss / 2)})
    return means


def test_means_are_over_the_steps_since_the_last():
    means = means_of([1.0, 3.0])
    assert means.take(Processes()) == {"loss": 2.0, "half": 1.0}
    means.add({"loss": torch.tensor(8.0)})
    assert means.take(Processes()) == {"loss": 8.0}


def test_means_go_on_from_a_state():
    means = MetricAverages()
    means.load_state_dict(means_of([1.0, 3.0]).state_dict(), torch.device("cpu"))
    means.add({"loss": torch.tensor(5.0), "half": torch.tensor(2.5)})
    assert means.take(Processes()) == {"loss": 3.0, "half": 1.5}


class WithAnotherProcess(Processes):
    """Beside one whose every sum is 7."""

    def mean(self, values):
        return (values + 7) / 2


def test_state_holds_the_losses_of_all_processes():
    means = means_of([1.0, 2.0])
    means.share(WithAnotherProcess())
    assert {name: float(value) for name, value in means.state_dict()["sums"].items()} == {"loss": 5.0, "half": 4.25}


def test_skipped_steps_do_not_count():
    means = means_of([2.0])
    means.add_skipped({"loss": torch.tensor(math.nan), "half": torch.tensor(math.nan)})
    assert means.take(Processes()) == {"loss": 2.0, "half": 1.0}


def test_means_over_skipped_steps_alone_are_no_number():
    means = MetricAverages()
    means.add_skipped({"loss": torch.tensor(math.inf)})
    assert math.isnan(means.take(Processes())["loss"])


def test_there_are_no_means_where_there_was_no_step():
    assert MetricAverages().take(Processes()) == {}


def test_counting_a_loss_keeps_no_graph():
    weight = torch.ones(1, requires_grad=True)
    means = MetricAverages()
    means.add({"loss": (2 * weight).sum()})
    assert not means.state_dict()["sums"]["loss"].requires_grad


def test_stopwatch_gives_the_rate_and_the_share_of_waiting(monkeypatch):
    clock = iter([0.0, 1.0, 1.0, 4.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    watch = Stopwatch()
    with watch.waiting():
        pass
    with watch.computing(8):
        pass
    assert watch.take() == pytest.approx({"crops_per_s": 2.0, "data_wait": 0.25})
    assert watch.take() == {"crops_per_s": 0.0, "data_wait": 0.0}
