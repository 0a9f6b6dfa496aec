import csv

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from realface.training.logs import open_log

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
