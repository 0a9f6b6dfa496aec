"""The detector of a method that learns from real faces alone; that of others is tested with the whole run."""

import csv
import json

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from realface.core.errors import TrainingError
from realface.evaluation.scoring import Reading, score_crops
from realface.manifest.manifest import Manifest
from realface.metrics.score_table import ScoreTable
from realface.models.artifact import load_network, read_card
from realface.training import validation
from realface.training.checkpoint import CheckpointFolder
from realface.training.run import train

REALS = {"name": "tiny-reals"}
VAL_VIDEOS = 5


@pytest.fixture
def faces(write_faces):
    """Reals and fakes in training, five real and two fake videos in validation."""
    train_videos = [("a", 0, "train"), ("b", 0, "train"), ("c", 1, "train")]
    val_videos = [(f"r{number}", 0, "val") for number in range(VAL_VIDEOS)] + [("f0", 1, "val"), ("f1", 1, "val")]
    return write_faces(videos=train_videos + val_videos)


@pytest.fixture
def recipe(make_recipe, faces):
    """Settings by section -> a recipe that learns from the reals alone."""

    def make(*, method=None, **sections):
        return make_recipe(data={"manifests": [faces]}, method=REALS | (method or {}), **sections)

    return make


def scores_of(run):
    return ScoreTable.read(run / "validation_scores.parquet")


def test_error_gets_lower_and_the_lowest_is_the_best(recipe, tmp_path):
    result = train(recipe(trainer={"steps": 40, "validate_every": 10}), tmp_path / "run", quiet=True)
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open(encoding="utf-8")))
    errors = {int(row["step"]): float(row["val_inpainting_error"]) for row in rows if row["val_inpainting_error"]}
    assert list(errors) == [10, 20, 30, 40]
    assert result.metric == "inpainting_error"
    assert result.best_step == min(errors, key=errors.__getitem__)
    assert result.best_metric == pytest.approx(min(errors.values()))
    assert errors[40] < errors[10]


def test_artifact_is_the_step_of_the_lowest_error_not_the_last(recipe, tmp_path, monkeypatch):
    found = iter([0.6, 0.3, 0.4, 0.3])
    monkeypatch.setattr(validation, "error_metrics", lambda _: {"inpainting_error": next(found)})
    result = train(recipe(trainer={"validate_every": 2}), tmp_path / "run", quiet=True)
    best = CheckpointFolder(tmp_path / "run", keep=3).load_best(4)
    weights = load_network(result.artifact).state_dict()
    assert (result.best_step, result.best_metric) == (4, 0.3)
    assert torch.equal(weights["convolution.weight"], best.network["convolution.weight"])


def test_run_ends_early_and_the_rate_falls_without_a_lower_error(recipe, tmp_path, monkeypatch):
    found = iter([0.5, 0.6, 0.7, 0.8])
    monkeypatch.setattr(validation, "error_metrics", lambda _: {"inpainting_error": next(found)})
    made = recipe(
        trainer={"validate_every": 2, "steps": 100, "log_every": 2},
        selection={"patience": 2},
        schedule={"name": "plateau", "factor": 0.1, "patience": 0},
    )
    result = train(made, tmp_path / "run", quiet=True)
    rows = csv.DictReader((tmp_path / "run" / "log.csv").open(encoding="utf-8"))
    assert (result.best_step, result.steps) == (2, 6)
    assert [float(row["lr"]) for row in rows] == pytest.approx([0.05, 0.05, 0.005])


def test_inpainting_error_is_that_of_the_held_back_reals(recipe, faces, tmp_path):
    result = train(recipe(), tmp_path / "run", quiet=True)
    reals = Manifest.read(faces).filter(split="val", label=0)
    network = load_network(result.artifact)
    card = read_card(result.artifact)
    with torch.no_grad():
        scores = score_crops(network, reals, Reading(input_size=8, device=torch.device("cpu"), quiet=True)).scores
    errors = np.log(scores / (1 - scores)) / 10 + float(network.usual_error)
    assert result.best_metric == pytest.approx(errors.mean(), rel=3.5e-7)  # of float32 scores
    assert card.metrics["inpainting_error"] == result.best_metric


def test_detector_is_fitted_on_the_held_back_reals_and_says_what_it_measured(recipe, tmp_path):
    result = train(recipe(), tmp_path / "run", quiet=True)
    card = read_card(result.artifact)
    network = load_network(result.artifact)
    assert card.metrics["fit"] == {"usual_error": float(network.usual_error), "faces": 2 * VAL_VIDEOS}
    assert float(network.usual_error) == pytest.approx(result.best_metric)
    assert card.metrics["validation"]["counts"]["real_videos"] == VAL_VIDEOS


@pytest.mark.parametrize(("rate", "num_called_fake"), [(0.05, 0), (0.2, 1), (0.5, 2)])
def test_threshold_calls_at_most_the_share_of_real_videos_fake(recipe, tmp_path, rate, num_called_fake):
    result = train(recipe(artifact={"false_positive_rate": rate}), tmp_path / "run", quiet=True)
    card = read_card(result.artifact)
    videos = scores_of(tmp_path / "run").video_level()
    assert videos.labels.tolist() == [0] * VAL_VIDEOS
    assert (videos.scores >= card.threshold).sum() == num_called_fake
    assert card.threshold_rule == (
        f"false_positive_rate (at most {rate} of real videos called fake: {num_called_fake} of 5 validation videos, "
        "all real)"
    )


def test_network_without_a_score_is_an_artifact_that_says_so(recipe, tmp_path):
    result = train(recipe(method={"has_score": False}), tmp_path / "run", quiet=True)
    card = read_card(result.artifact)
    assert (card.threshold, card.threshold_rule) == (
        0.5,
        "none: tiny-reals has no score as it is configured",
    )
    assert set(card.metrics) == {"step", "selected_by", "inpainting_error"}
    assert not (tmp_path / "run" / "validation_scores.parquet").exists()


def test_fakes_that_were_left_out_stand_in_the_provenance(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["fakes_left_out"] == {"train": 2, "val": 4}
    assert provenance["train"]["rows"] == 4


def test_tensorboard_shows_the_inpainting(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    board = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert board.Tags()["images"] == ["val/inpainting"]
    assert [event.step for event in board.Images("val/inpainting")] == [4, 8]


def test_metric_that_the_method_cannot_have_is_refused_before_anything_is_written(recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"selection\.metric: tiny-reals learns from real faces alone"):
        train(recipe(selection={"metric": "video_auc"}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_error_that_is_no_number_names_the_step(recipe, tmp_path):
    made = recipe(method={"error_scale": float("nan")}, trainer={"validate_every": 1})
    with pytest.raises(TrainingError, match="validation after step 1: the inpainting error of 10 of 10 real faces"):
        train(made, tmp_path / "run", quiet=True)
