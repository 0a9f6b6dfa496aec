"""From crops on disk to a RECCE detector that can be loaded, with the shipped small recipe."""

import pytest
import torch

from realface.evaluation.scoring import Reading, score_crops
from realface.manifest.manifest import Manifest
from realface.metrics.score_table import ScoreTable
from realface.models.artifact import load_network, read_card
from realface.training.checkpoint import CheckpointFolder
from realface.training.recipe import load_train_recipe
from realface.training.run import train


def recipe(manifest, *, workers, others=()):
    return load_train_recipe(
        "demo",
        overrides=[
            f"data.manifests=[{manifest}]",
            f"data.workers={workers}",
            "method.input_size=64",
            "trainer.steps=4",
            "trainer.batch_size=4",
            "trainer.validate_every=2",
            "trainer.device=cpu",
            *others,
        ],
    )


def test_recce_trains_to_the_same_weights_twice_whatever_the_workers(manifest, tmp_path):
    tasks = []
    for name, workers in (("one", 0), ("two", 2)):
        train(recipe(manifest, workers=workers), tmp_path / name, quiet=True)
        tasks.append(CheckpointFolder(tmp_path / name, keep=3).newest().task)
    assert tasks[0].keys() == tasks[1].keys()
    assert all(torch.equal(tasks[0][name], tasks[1][name]) for name in tasks[0])


def test_detector_gives_the_validation_scores_again(manifest, tmp_path):
    result = train(recipe(manifest, workers=0), tmp_path / "run", quiet=True)
    network = load_network(result.artifact)
    val = Manifest.read(manifest).filter(split="val")
    scores = score_crops(network, val, Reading(input_size=64, device=torch.device("cpu"), quiet=True))
    assert scores.scores == pytest.approx(ScoreTable.read(tmp_path / "run" / "validation_scores.parquet").scores)
    assert read_card(result.artifact).purpose == "demonstration"


@pytest.mark.long
def test_compiled_steps_are_those_of_eager_ones(manifest, tmp_path):
    weights = []
    for name, is_compiled in (("eager", False), ("compiled", True)):
        settings = [f"trainer.compile={is_compiled}", "method.dropout=0", "optim={name: sgd, lr: 0.01}"]
        made = recipe(manifest, workers=0, others=settings)
        train(made, tmp_path / name, quiet=True)
        weights.append(CheckpointFolder(tmp_path / name, keep=3).newest().task)
    torch.testing.assert_close(*weights, rtol=0, atol=1e-4)
