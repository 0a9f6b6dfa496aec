import csv
import json
import math
from dataclasses import replace

import pytest
import torch

from realface.core.crop_spec import CropSpec
from realface.core.errors import (
    ArtifactError,
    DeviceError,
    ManifestError,
    MissingInputError,
    OutputExistsError,
    TrainingError,
)
from realface.core.recipe import load_recipe
from realface.metrics.score_table import ScoreTable
from realface.models import catalog
from realface.models.artifact import load_network, read_card
from realface.training import validation
from realface.training.checkpoint import CheckpointFolder
from realface.training.recipe import recipe_schema
from realface.training.run import train
from realface.training.selection import SCORE_METRICS
from realface.training.steps import Stepper


@pytest.fixture
def recipe(make_recipe, write_faces):
    """Settings by section -> a recipe on the built faces."""
    manifest = write_faces()

    def make(*, data=None, **sections):
        return make_recipe(data={"manifests": [manifest]} | (data or {}), **sections)

    return make


def weights(run):
    return load_network(run / "artifact").state_dict()


def newest(run):
    return CheckpointFolder(run, keep=3).newest()


def last_weights(run):
    return newest(run).task


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_run_folder_holds_what_is_documented(recipe, tmp_path):
    result = train(recipe(), tmp_path / "run", quiet=True)
    files = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    boards = {name for name in files if name.startswith("tensorboard/")}
    assert files - boards == {
        ".lock",
        "recipe.yaml",
        "provenance.json",
        "log.csv",
        "checkpoints/step-00000004.ckpt",
        "checkpoints/step-00000008.ckpt",
        f"checkpoints/best-{result.best_step:08}.ckpt",
        "validation_scores.parquet",
        "artifact/model.json",
        "artifact/model.safetensors",
    }
    assert len(boards) == 1
    assert result.artifact == tmp_path / "run" / "artifact"


def test_small_network_learns_that_fakes_are_brighter(recipe, tmp_path):
    result = train(recipe(trainer={"steps": 40, "validate_every": 20}), tmp_path / "run", quiet=True)
    assert (result.metric, result.best_metric, result.steps) == ("video_auc", 1.0, 40)


@pytest.mark.parametrize("workers", [0, 2])
def test_same_recipe_gives_the_same_weights_bit_for_bit(recipe, tmp_path, workers):
    train(recipe(), tmp_path / "one", quiet=True)
    torch.rand(5)  # what the caller drew before does not matter
    train(recipe(data={"workers": workers}), tmp_path / "two", quiet=True)
    assert same(last_weights(tmp_path / "one"), last_weights(tmp_path / "two"))


def test_another_seed_gives_other_weights(recipe, tmp_path):
    train(recipe(), tmp_path / "one", quiet=True)
    train(recipe(seed=1), tmp_path / "two", quiet=True)
    assert not same(last_weights(tmp_path / "one"), last_weights(tmp_path / "two"))


def test_validating_more_often_does_not_change_the_weights(recipe, tmp_path):
    train(recipe(), tmp_path / "one", quiet=True)
    train(recipe(trainer={"validate_every": 1, "log_every": 1}), tmp_path / "two", quiet=True)
    assert same(last_weights(tmp_path / "one"), last_weights(tmp_path / "two"))


def test_torch_is_left_as_it_was(recipe, tmp_path):
    state, deterministic = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled()
    train(recipe(), tmp_path / "run", quiet=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.are_deterministic_algorithms_enabled() == deterministic


@pytest.mark.parametrize(
    "trainer",
    [{"precision": "bf16"}, {"channels_last": False}, {"clip_norm": 0.01}, {"accumulate": 2}],
)
def test_options_of_the_trainer_run(recipe, tmp_path, trainer):
    result = train(recipe(trainer=trainer), tmp_path / "run", quiet=True)
    assert all(tensor.dtype != torch.bfloat16 for tensor in weights(tmp_path / "run").values())
    assert 0 <= result.best_metric <= 1


def test_clipping_changes_the_step(recipe, tmp_path):
    sgd = {"name": "sgd", "lr": 0.1}
    train(recipe(optim=sgd), tmp_path / "one", quiet=True)
    train(recipe(optim=sgd, trainer={"clip_norm": 0.001}), tmp_path / "two", quiet=True)
    assert not same(last_weights(tmp_path / "one"), last_weights(tmp_path / "two"))


def test_artifact_is_the_best_step_not_the_last(recipe, tmp_path, monkeypatch):
    found = iter([0.6, 0.9, 0.7, 0.9])
    names = ("auc", "accuracy", "log_loss")
    monkeypatch.setattr(
        validation, "validation_metrics", lambda _: dict.fromkeys(names, 0.5) | {"video_auc": next(found)}
    )
    result = train(recipe(trainer={"validate_every": 2}), tmp_path / "run", quiet=True)
    best = CheckpointFolder(tmp_path / "run", keep=3).load_best(4)
    assert (result.best_step, best.step, result.best_metric) == (4, 4, 0.9)
    assert same(weights(tmp_path / "run"), best.network)
    assert not same({f"network.{name}": value for name, value in best.network.items()}, last_weights(tmp_path / "run"))


def test_validation_scores_are_those_of_the_artifact(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    table = ScoreTable.read(tmp_path / "run" / "validation_scores.parquet")
    card = read_card(tmp_path / "run" / "artifact")
    assert len(table) == 8
    assert card.metrics["validation"]["threshold"] == card.threshold


def test_card_says_what_the_detector_is(recipe, tmp_path):
    made = recipe(artifact={"purpose": "demonstration", "licence": "CC0"}, name="trial")
    train(made, tmp_path / "run", quiet=True)
    card = read_card(tmp_path / "run" / "artifact")
    assert (card.method, card.input_size, card.purpose, card.licence) == ("tiny", 8, "demonstration", "CC0")
    assert card.crop == CropSpec(size=16)
    assert card.threshold_rule == (
        "balanced_accuracy (highest mean of the shares of correctly classified reals and fakes) on 4 validation videos"
    )
    assert (card.trained_on[0]["name"], card.trained_on[0]["rows"]) == ("faces/manifest.parquet", 8)
    assert (card.provenance["recipe"], card.provenance["seed"]) == ("trial", 0)


def test_saved_recipe_is_the_one_that_ran(recipe, tmp_path):
    made = recipe()
    train(made, tmp_path / "run", quiet=True)
    assert load_recipe(recipe_schema(), tmp_path / "run" / "recipe.yaml") == made


def test_provenance_holds_seed_versions_and_hashes(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text(encoding="utf-8"))
    assert (provenance["seed"], provenance["train"]["rows"]) == (0, 8)
    assert "torch" in provenance["packages"]


def test_log_has_means_rate_and_validation(recipe, tmp_path):
    schedule = {"name": "step", "every": 4, "gamma": 0.5}
    train(recipe(schedule=schedule), tmp_path / "run", quiet=True)
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open(encoding="utf-8")))
    assert [row["step"] for row in rows] == ["2", "4", "6", "8"]
    assert [float(row["lr"]) for row in rows] == [0.05, 0.05, 0.025, 0.025]
    assert [row["val_auc"] != "" for row in rows] == [False, True, False, True]
    assert float(rows[0]["classification"]) == float(rows[0]["loss"])


def test_last_step_is_validated_though_it_is_no_multiple(recipe, tmp_path):
    train(recipe(trainer={"steps": 5, "validate_every": 100}), tmp_path / "run", quiet=True)
    assert newest(tmp_path / "run").step == 5


def test_folder_with_something_in_it_is_refused(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputExistsError, match="is not empty"):
        train(recipe(), tmp_path / "run", quiet=True)


def test_missing_gpu_is_said_before_anything_is_written(recipe, tmp_path):
    with pytest.raises(DeviceError, match=r"cuda:99.*is not on this machine"):
        train(recipe(trainer={"device": "cuda:99"}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_validation_that_is_no_number_names_the_step(recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"validation after step 1: .*score must be a number"):
        train(recipe(method={"eval_scale": math.nan}, trainer={"validate_every": 1}), tmp_path / "run", quiet=True)


def test_a_method_without_weights_in_timm_takes_them_from_a_file_only(recipe, tmp_path, monkeypatch):
    kept = []
    with_file = replace(catalog.METHODS["tiny"], load_encoder_weights=lambda network, file: kept.append(file))
    monkeypatch.setitem(catalog.METHODS, "tiny", with_file)
    with pytest.raises(TrainingError, match="encoder_weights: timm has none for tiny; give a file"):
        train(recipe(encoder_weights="timm"), tmp_path / "run", quiet=True)
    (tmp_path / "weights.pt").touch()
    train(recipe(encoder_weights=tmp_path / "weights.pt"), tmp_path / "run", quiet=True)
    assert kept == [tmp_path / "weights.pt"]


def test_encoder_weights_for_a_method_without_them_are_refused(recipe, tmp_path):
    with pytest.raises(TrainingError, match="encoder_weights: tiny takes none"):
        train(recipe(encoder_weights=tmp_path / "imagenet.pt"), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_encoder_weights_reach_the_network(recipe, tmp_path, monkeypatch):
    def refuse(network, file):
        raise ArtifactError(f"asked for {file.name} in {type(network).__name__}")

    tiny = catalog.METHODS["tiny"]

    def refuse_hub(network):
        raise ArtifactError(f"no hub for {type(network).__name__}")

    with_weights = replace(tiny, load_encoder_weights=refuse, download_encoder_weights=refuse_hub)
    monkeypatch.setitem(catalog.METHODS, "tiny", with_weights)
    with pytest.raises(MissingInputError, match=r"file of encoder_weights .*imagenet\.pt does not exist"):
        train(recipe(encoder_weights=tmp_path / "imagenet.pt"), tmp_path / "run", quiet=True)
    (tmp_path / "imagenet.pt").touch()
    with pytest.raises(ArtifactError, match=r"asked for imagenet\.pt in TinyNetwork"):
        train(recipe(encoder_weights=tmp_path / "imagenet.pt"), tmp_path / "run", quiet=True)
    with pytest.raises(ArtifactError, match="no hub for TinyNetwork"):
        train(recipe(encoder_weights="timm"), tmp_path / "other", quiet=True)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "other").exists()


def test_run_whose_gradients_are_never_finite_ends_after_so_many_steps(recipe, tmp_path):
    made = recipe(method={"logit_scale": math.nan}, trainer={"max_skipped_steps": 3})
    told = r"of 3 steps in a row, up to step 3, were not finite; lower optim\.lr, .* and begin again in another folder"
    with pytest.raises(TrainingError, match=told):
        train(made, tmp_path / "run", quiet=True)


def test_skipped_steps_are_counted_in_the_log(recipe, tmp_path, monkeypatch):
    real = Stepper._gradient_norm
    norms = iter([math.nan, 1.0, math.inf, math.nan])

    def norm(self):
        return torch.tensor(next(norms, 1.0)) * real(self)

    monkeypatch.setattr(Stepper, "_gradient_norm", norm)
    train(recipe(trainer={"log_every": 1}), tmp_path / "run", quiet=True)
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open(encoding="utf-8")))
    assert [row["skipped_steps"] for row in rows] == ["1", "1", "2", "3", "3", "3", "3", "3"]
    assert [math.isnan(float(row["loss"])) for row in rows] == [True, False, True, True, *[False] * 4]


def test_run_without_a_better_validation_ends_early(recipe, tmp_path, monkeypatch):
    found = iter([0.9, 0.8, 0.7])
    names = ("auc", "accuracy", "log_loss")
    monkeypatch.setattr(
        validation, "validation_metrics", lambda _: dict.fromkeys(names, 0.5) | {"video_auc": next(found)}
    )
    made = recipe(trainer={"validate_every": 2, "steps": 100}, selection={"patience": 2})
    result = train(made, tmp_path / "run", quiet=True)
    assert (result.best_step, result.steps) == (2, 6)


def test_rate_falls_when_the_validation_gets_no_better(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "validation_metrics", lambda _: dict.fromkeys(SCORE_METRICS, 0.5))
    plateau = {"name": "plateau", "factor": 0.1, "patience": 0}
    train(recipe(schedule=plateau, trainer={"validate_every": 2, "log_every": 2}), tmp_path / "run", quiet=True)
    rows = csv.DictReader((tmp_path / "run" / "log.csv").open(encoding="utf-8"))
    assert [float(row["lr"]) for row in rows] == pytest.approx([0.05, 0.05, 0.005, 0.0005])


def test_log_tells_the_rate_and_the_share_of_waiting(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open(encoding="utf-8")))
    assert all(0 <= float(row["data_wait"]) <= 1 and float(row["crops_per_s"]) > 0 for row in rows)


def test_pairs_need_originals(recipe, tmp_path):
    with pytest.raises(ManifestError, match="cannot pair any of the 4 fakes"):
        train(recipe(data={"train": {"filters": {"split": "train"}, "sampling": "paired"}}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folder_of_a_run_is_refused_with_the_way_to_go_on(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    with pytest.raises(OutputExistsError, match="run holds a run already; go on with it by --resume"):
        train(recipe(), tmp_path / "run", quiet=True)
