import json
import shutil

import pytest
import torch

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, MissingInputError, ModelInputError, RecipeError, TrainingError
from realface.models.artifact import load_network, read_card
from realface.models.catalog import get_method
from realface.models.rffr.mae import fingerprint
from realface.training.checkpoint import CheckpointFolder
from realface.training.frozen_mae import resolve_mae
from realface.training.recipe import load_train_recipe
from realface.training.resuming import PROVENANCE_NAME
from realface.training.run import train
from realface.training.steps import Stepper

RFFR = get_method("rffr")


class Killed(BaseException):
    """Stands for kill -9."""


def refused(error, recipe, run, match):
    """Before anything is written."""
    with pytest.raises(error, match=match):
        train(recipe, run, quiet=True)
    assert not run.exists()


def test_detector_has_the_mae_and_says_what_that_was_trained_on(make_rffr_recipe, mae, tmp_path):
    train(make_rffr_recipe(), tmp_path / "run", quiet=True)
    own = load_network(mae / "artifact")
    inner = load_network(tmp_path / "run" / "artifact").mae
    assert fingerprint(inner) == fingerprint(own.mae)
    card = read_card(tmp_path / "run" / "artifact")
    assert (card.input_size, card.config["mae"]["size"]) == (40, "tiny")
    assert card.trained_on[0]["name"] == "faces/manifest.parquet"
    assert card.trained_on[1:] == [
        {
            "role": "mae",
            "name": "/".join(mae.parts[-2:]),
            "sha256": fingerprint(own.mae),
            "trained_on": [{"name": "real/manifest.parquet", "sha256": "ab", "rows": 7}],
        }
    ]


def test_detector_on_the_fast_residual_says_how_much_that_differs(make_rffr_recipe, write_mae, tmp_path):
    measured = {"faces": 64, "mean_absolute_difference": 0.01, "mean_absolute_residual": 0.1}
    measuring = write_mae(metrics={"fit": {"fitted_on_faces": 80, "fast_residual": measured}})
    fast = {"residual": {"mode": "fast"}}
    train(make_rffr_recipe(mae=measuring, method=fast), tmp_path / "run", quiet=True)
    assert read_card(tmp_path / "run" / "artifact").provenance["mae"]["fast_residual"] == measured


def test_detector_on_an_mae_that_was_never_fitted_says_nothing_of_the_fast_residual(make_rffr_recipe, tmp_path):
    _, found = resolve_mae(make_rffr_recipe(), RFFR, tmp_path / "run")
    assert found.fast_residual is None


def test_saved_recipe_repeats_the_run(make_rffr_recipe, tmp_path):
    train(make_rffr_recipe(), tmp_path / "one", quiet=True)
    saved = load_train_recipe(tmp_path / "one" / "recipe.yaml")
    assert saved.method.mae.input_size == saved.method.input_size == 40
    train(saved, tmp_path / "two", quiet=True)
    one, two = (load_network(tmp_path / name / "artifact").state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_run_goes_on_and_needs_the_mae_only_before_the_first_checkpoint(
    make_rffr_recipe, write_mae, tmp_path, monkeypatch, has_checkpoint
):
    moved = write_mae()
    made = make_rffr_recipe(mae=moved, trainer={"checkpoint_every": 1})
    train(make_rffr_recipe(), tmp_path / "whole", quiet=True)
    real, calls = Stepper.take, iter(range(5))

    def die(*arguments):
        if next(calls) == has_checkpoint:
            raise Killed
        return real(*arguments)

    with monkeypatch.context() as context:
        context.setattr(Stepper, "take", die)
        with pytest.raises(Killed):
            train(made, tmp_path / "run", quiet=True)
    if has_checkpoint:
        shutil.rmtree(moved)
    train(made, tmp_path / "run", resume=True, quiet=True)
    one, two = (CheckpointFolder(tmp_path / name, keep=3).newest().task for name in ("whole", "run"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert read_card(tmp_path / "run" / "artifact").trained_on[1]["role"] == "mae"


def test_mae_that_has_changed_or_is_not_named_before_the_first_checkpoint_is_refused(
    make_rffr_recipe, write_mae, tmp_path, monkeypatch
):
    changed = write_mae()
    made = make_rffr_recipe(mae=changed)

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(Stepper, "take", die)
        with pytest.raises(Killed):
            train(made, tmp_path / "run", quiet=True)
    with pytest.raises(TrainingError, match=r"mae: the run began with .* set mae to its folder"):
        train(made.model_copy(update={"mae": None}), tmp_path / "run", resume=True, quiet=True)
    shutil.rmtree(changed)
    shutil.copytree(write_mae(seed=1), changed)
    with pytest.raises(TrainingError, match=r"mae: .* is not the one that the run began with; restore it"):
        train(made, tmp_path / "run", resume=True, quiet=True)


def test_method_without_an_mae_inside_refuses_one(make_recipe, write_faces, mae, tmp_path):
    made = make_recipe(data={"manifests": [write_faces()]}, mae=mae)
    refused(TrainingError, made, tmp_path / "run", "mae: tiny takes none; leave mae out")


def test_detector_without_an_mae_is_refused_with_how_to_get_one(make_rffr_recipe, tmp_path):
    told = "mae: rffr needs one, and none is given; train one with the method rffr-mae, and name its run"
    refused(TrainingError, make_rffr_recipe(mae=None), tmp_path / "run", told)


def test_mae_that_is_not_there_is_named(make_rffr_recipe, tmp_path):
    refused(MissingInputError, make_rffr_recipe(mae=tmp_path / "gone"), tmp_path / "run", "gone does not exist")


def test_artifact_of_another_method_is_no_mae(make_recipe, make_rffr_recipe, write_faces, tmp_path):
    train(make_recipe(data={"manifests": [write_faces()]}, trainer={"steps": 1}), tmp_path / "tiny", quiet=True)
    told = "tiny/artifact is an artifact of tiny, and rffr needs one of rffr-mae"
    refused(TrainingError, make_rffr_recipe(mae=tmp_path / "tiny"), tmp_path / "run", told)


def test_mae_that_cannot_inpaint_is_refused(make_rffr_recipe, write_mae, tmp_path):
    refused(ModelInputError, make_rffr_recipe(mae=write_mae(norm_pix=True)), tmp_path / "run", "with norm_pix")


def test_settings_that_differ_from_the_maes_are_all_named(make_rffr_recipe, tmp_path):
    made = make_rffr_recipe(method={"mae": {"size": "small", "residual": {"amplification": 3}}})
    told = (
        r"otherwise than the MAE .*run: method\.mae\.size is 'small', the MAE's 'tiny'; "
        r"method\.mae\.residual\.amplification is 3\.0, the MAE's 4\.0; leave method\.mae out"
    )
    refused(TrainingError, made, tmp_path / "run", told)


def test_settings_that_do_not_go_with_the_mae_are_refused(make_rffr_recipe, tmp_path):
    refused(RecipeError, make_rffr_recipe(method={"input_size": 224}), tmp_path / "run", "must be the MAE's, 40")


def test_mae_of_other_crops_is_refused_with_both(make_rffr_recipe, write_mae, tmp_path):
    made = make_rffr_recipe(mae=write_mae(crop=CropSpec(size=32)))
    told = r"manifest\.parquet contains crops made with .*16 px.* but the MAE .*run expects .*32 px"
    refused(CropSpecError, made, tmp_path / "run", told)


@pytest.mark.parametrize("crops", [CropSpec(size=16), CropSpec.unknown()])
def test_mae_of_unknown_crops_is_taken_and_that_is_told_once(
    make_rffr_recipe, write_faces, write_mae, tmp_path, capsys, crops
):
    unknown = write_mae(crop=CropSpec.unknown())
    data = {"manifests": [write_faces("told", crop=crops)]}
    train(make_rffr_recipe(data=data, mae=unknown), tmp_path / "run", quiet=True)
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning: how the crops" in line]
    assert len(warnings) == 1
    assert ("that the MAE" in warnings[0]) == (not crops.is_unknown)
    assert read_card(tmp_path / "run" / "artifact").provenance["mae"]["crop"]["face_detector"] == "unknown"


def test_settings_of_a_run_come_from_its_provenance(make_rffr_recipe, tmp_path):
    train(make_rffr_recipe(), tmp_path / "run", quiet=True)
    recorded = json.loads((tmp_path / "run" / PROVENANCE_NAME).read_text(encoding="utf-8"))["mae"]
    recipe, found = resolve_mae(make_rffr_recipe(mae=tmp_path / "gone"), RFFR, tmp_path / "run")
    assert recipe.method.mae.size == recorded["config"]["size"] == "tiny"
    assert found.weights == recorded["weights"]
