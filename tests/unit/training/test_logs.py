import csv

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from realface.training.logs import open_log

METRICS = {"video_auc": 0.9, "auc": 0.8, "accuracy": 0.7, "log_loss": 0.6}


@pytest.fixture
def run(tmp_path):
    with open_log(tmp_path) as log:
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
    with open_log(tmp_path) as log:
        log.write(1, {"loss": 1.0}, {})
        assert "1," in (tmp_path / "log.csv").read_text(encoding="utf-8")
