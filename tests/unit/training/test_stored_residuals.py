import shutil

import pytest
import torch

from realface.core.errors import MissingInputError, ResidualStoreError, TrainingError
from realface.data.residual_store import ResidualStore
from realface.evaluation.residuals import compute_residuals
from realface.metrics.score_table import ScoreTable
from realface.models.rffr import network as rffr_network
from realface.training.checkpoint import CheckpointFolder
from realface.training.run import train
from realface.training.steps import Stepper


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def store_of(mae, tmp_path):
    """(settings) -> a store with the residuals of the built faces."""

    def make(name="store", *, of=mae, **settings):
        options = {"device": "cpu", "batch_size": 4, "quiet": True} | settings
        compute_residuals(of, [tmp_path / "faces" / "manifest.parquet"], tmp_path / name, **options)
        return tmp_path / name

    return make


@pytest.fixture
def recipe_with(make_rffr_recipe):
    """(store, settings) -> a recipe that reads it."""

    def make(store, *, workers=0, **sections):
        return make_rffr_recipe(data={"residuals": store, "workers": workers}, **sections)

    return make


def weights(run):
    return CheckpointFolder(run, keep=3).newest().task


def refused(error, recipe, run, match):
    """Before anything is written."""
    with pytest.raises(error, match=match):
        train(recipe, run, quiet=True)
    assert not run.exists()


def test_training_on_stored_residuals_is_training_that_computes_them(make_rffr_recipe, recipe_with, store_of, tmp_path):
    made = make_rffr_recipe(trainer={"steps": 3})
    train(made, tmp_path / "computed", quiet=True)
    train(recipe_with(store_of(), trainer={"steps": 3}), tmp_path / "read", quiet=True)
    computed, read = weights(tmp_path / "computed"), weights(tmp_path / "read")
    torch.testing.assert_close(read, computed, rtol=0, atol=1e-6)
    tables = [ScoreTable.read(tmp_path / name / "validation_scores.parquet").scores for name in ("computed", "read")]
    assert tables[0] == pytest.approx(tables[1], abs=1e-6)


@pytest.mark.parametrize("workers", [0, 1])
def test_mae_is_not_run_where_residuals_are_stored(recipe_with, store_of, tmp_path, monkeypatch, workers):
    made = recipe_with(tmp_path / "store", workers=workers, trainer={"steps": 1})
    store_of()

    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(rffr_network, "inpaint", refuse)
    monkeypatch.setattr("realface.training.run._images", lambda *_: {})  # of a few faces, computed anew
    train(made, tmp_path / "run", quiet=True)


def test_run_on_stored_residuals_goes_on_bit_for_bit_wherever_they_lie(recipe_with, store_of, tmp_path, monkeypatch):
    made = recipe_with(tmp_path / "store", trainer={"checkpoint_every": 1})
    store = store_of()
    train(made, tmp_path / "whole", quiet=True)
    real, calls = Stepper.take, iter(range(5))

    def die(*arguments):
        if next(calls) == 1:
            raise Killed
        return real(*arguments)

    with monkeypatch.context() as context:
        context.setattr(Stepper, "take", die)
        with pytest.raises(Killed):
            train(made, tmp_path / "run", quiet=True)
    moved = recipe_with(shutil.move(store, tmp_path / "moved"), trainer={"checkpoint_every": 1})
    train(moved, tmp_path / "run", resume=True, quiet=True)
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_run_does_not_go_on_with_other_residuals(recipe_with, make_rffr_recipe, store_of, tmp_path):
    made = recipe_with(tmp_path / "store", trainer={"steps": 1})
    store_of()
    train(made, tmp_path / "run", quiet=True)
    told = r"began with stored residuals \(fp32, float32\), now it has stored residuals \(fp32, float16\)"
    with pytest.raises(TrainingError, match=told):
        train(recipe_with(store_of("half", dtype="float16")), tmp_path / "run", resume=True, quiet=True)
    with pytest.raises(
        TrainingError, match=r"now it has residuals that it computes itself, or none; set data\.residuals"
    ):
        train(make_rffr_recipe(), tmp_path / "run", resume=True, quiet=True)


def test_method_that_takes_no_residuals_refuses_them(make_recipe, write_faces, tmp_path):
    data = {"manifests": [write_faces()], "residuals": tmp_path, "train": {"filters": {"split": "train"}, "flip": 0}}
    refused(TrainingError, make_recipe(data=data), tmp_path / "run", "data.residuals: tiny takes no residuals")


def test_store_that_is_not_there_is_named(recipe_with, tmp_path):
    made = recipe_with(tmp_path / "gone")
    refused(MissingInputError, made, tmp_path / "run", "folder of residuals .*gone does not exist")


def test_store_of_another_kind_is_refused_with_both(recipe_with, store_of, write_mae, tmp_path):
    made = recipe_with(tmp_path / "store", trainer={"steps": 1})
    store_of(mode="fast")
    told = r"store holds residuals of \[MAE .* 40 px, fast, .*but the run needs \[MAE .* 40 px, exact, .*residuals`"
    refused(ResidualStoreError, made, tmp_path / "run", told)
    other = recipe_with(store_of("other", of=write_mae(seed=1)))
    refused(ResidualStoreError, other, tmp_path / "run", r"other holds residuals of \[MAE .*but the run needs")


def test_crops_without_a_residual_are_counted_with_the_command_that_adds_them(
    recipe_with, store_of, write_faces, mae, tmp_path
):
    few = write_faces("few", videos=[("train-0", 0, "train")])
    made = recipe_with(tmp_path / "store")
    compute_residuals(mae, [few], tmp_path / "store", device="cpu", quiet=True)
    with pytest.raises(ResidualStoreError) as caught:
        train(made, tmp_path / "run", quiet=True)
    told, _, command = str(caught.value).partition("; add them with ")
    assert "store lacks 6 of 8 crops: " in told
    assert told.endswith(" and 3 more")
    assert "train-1-0.png" in told
    manifest = tmp_path / "faces" / "manifest.parquet"
    assert command == (
        f"`realface residuals {mae} {manifest} --out {tmp_path / 'store'} --mode exact --no-outer-ring "
        "--precision fp32 --dtype float32`"
    )
    assert not (tmp_path / "run").exists()
    store_of()  # the command
    assert len(ResidualStore(tmp_path / "store")) == 20
