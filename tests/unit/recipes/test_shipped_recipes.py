"""Every shipped recipe loads, and the published ones have the published numbers."""

import re
import shlex
from pathlib import Path

import pytest

from realface.core.errors import RecipeError
from realface.core.shipped import SHIPPED_RECIPES
from realface.manifest.manifest import Manifest
from realface.training.recipe import load_train_recipe

FILES = {path.stem: path for path in sorted(SHIPPED_RECIPES.glob("*.yaml"))}
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "train.md"
FFPP_METHODS = ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"]

# name: (input size, steps of the run, steps between drops, factor of a drop, sampling, precision); the steps between
# drops on Celeb-DF and DFDC are ours, a quarter of the run, because the authors count them in epochs of unstated length
PUBLISHED = {
    "recce-ffpp-c23": (299, 90_000, 22_500, 0.5, "balanced", "fp32"),
    "recce-ffpp-c40": (299, 90_000, 22_500, 0.5, "balanced", "fp32"),
    "recce-ffpp-deepfakes": (299, 90_000, 22_500, 0.5, "balanced", "fp32"),
    "recce-ffpp-face2face": (299, 90_000, 22_500, 0.5, "balanced", "fp32"),
    "recce-ffpp-faceswap": (299, 90_000, 22_500, 0.5, "balanced", "fp32"),
    "recce-ffpp-neuraltextures": (299, 90_000, 22_500, 0.5, "balanced", "fp32"),
    "recce-celeb-df": (299, 92_000, 23_000, 0.5, "balanced", "fp32"),
    "recce-wilddeepfake": (224, 40_000, 3_000, 0.9, "all", "fp32"),
    "recce-dfdc": (299, 100_000, 25_000, 0.5, "all", "fp16"),
}


def load(name):
    return load_train_recipe(name, overrides=["data.manifests=[faces.parquet]"])


def without(recipe, *fields):
    return recipe.model_dump(mode="json", exclude=set(fields))


@pytest.mark.parametrize("name", FILES)
def test_a_recipe_lacks_its_manifests_only(name):
    with pytest.raises(RecipeError, match="no manifest is named") as caught:
        load_train_recipe(name)
    assert len(caught.value.faults) == 1
    assert load(name).name == name


@pytest.mark.parametrize("name", FILES)
def test_a_recipe_begins_with_the_command_that_runs_it(name):
    comment = FILES[name].read_text(encoding="utf-8").split("\nname:")[0]
    command = re.search(r"realface train .*", re.sub(r" *\\\n# *", " ", comment))
    words = shlex.split(command[0].replace("=GPUS", "=8"))
    assert words[:5] == ["realface", "train", name, "--out", "RUN"]
    assert set(words[5::2]) == {"--set"}
    recipe = load_train_recipe(name, overrides=words[6::2])
    assert (recipe.mae is not None) == (recipe.method.name == "rffr")


def test_the_guide_names_every_recipe():
    named = re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"^\| `.*\|$", GUIDE.read_text("utf-8"), re.MULTILINE)))
    assert set(FILES) <= set(named)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_has_the_published_numbers(name):
    recipe = load(name)
    input_size, steps, every, gamma, sampling, precision = PUBLISHED[name]
    assert (recipe.method.name, recipe.method.encoder) == ("recce", "legacy_xception")
    assert (recipe.method.input_size, recipe.method.num_classes, recipe.method.dropout) == (input_size, 1, 0.2)
    assert (recipe.method.lambda_1, recipe.method.lambda_2, recipe.method.flood_level) == (0.1, 0.1, 0.04)
    assert (recipe.optim.name, recipe.optim.lr, recipe.optim.weight_decay) == ("adam", 2e-4, 1e-5)
    assert (recipe.schedule.name, recipe.schedule.every, recipe.schedule.gamma) == ("step", every, gamma)
    assert (recipe.trainer.steps, recipe.trainer.batch_size, recipe.trainer.precision) == (steps, 32, precision)
    assert (recipe.data.train.sampling, recipe.data.train.flip) == (sampling, 0.5)
    assert recipe.encoder_weights == "timm"


def test_batch_norm_is_synchronised_on_dfdc_only():
    assert [name for name in FILES if load(name).trainer.sync_batch_norm] == ["recce-dfdc"]


@pytest.mark.parametrize(
    ("name", "compression", "methods"),
    [
        ("recce-ffpp-c23", "c23", FFPP_METHODS),
        ("recce-ffpp-c40", "c40", FFPP_METHODS),
        ("rffr-ffpp-c23", "c23", FFPP_METHODS),
        *((f"recce-ffpp-{method.lower()}", "c40", [method]) for method in FFPP_METHODS),
    ],
)
@pytest.mark.parametrize("split", ["train", "val"])
def test_faceforensics_gives_reals_and_the_named_forgeries_of_one_compression(name, compression, methods, split):
    rows = [
        {"path": f"{s}/{c}/{m}.png", "label": int(m is not None), "split": s, "compression": c, "method": m}
        for s in ("train", "val", "test")
        for c in ("c23", "c40")
        for m in (None, *FFPP_METHODS, "FaceShifter")
    ]
    section = getattr(load(name).data, split)
    used = Manifest.from_rows(rows, root=Path("crops")).filter(**section.filters)
    assert used.table["path"].to_pylist() == [f"{split}/{compression}/{m}.png" for m in (None, *methods)]


@pytest.mark.parametrize("method", FFPP_METHODS)
def test_one_forgery_alone_is_trained_as_all_are(method):
    one, every = load(f"recce-ffpp-{method.lower()}"), load("recce-ffpp-c40")
    assert without(one, "name", "data") == without(every, "name", "data")


@pytest.mark.parametrize(("baseline", "recce"), [("baseline-demo", "demo"), ("baseline-ffpp-c23", "recce-ffpp-c23")])
def test_a_baseline_differs_from_recce_by_its_method_only(baseline, recce):
    plain, full = load(baseline), load(recce)
    assert without(plain, "name", "method") == without(full, "name", "method")
    assert plain.method.name == "baseline"
    shared = ("encoder", "encoder_mean", "encoder_std", "input_size", "num_classes", "dropout")
    assert [getattr(plain.method, field) for field in shared] == [getattr(full.method, field) for field in shared]


def test_rffr_mae_has_the_published_numbers():
    recipe = load("rffr-mae")
    method, optim = recipe.method, recipe.optim
    assert (method.name, method.size, method.input_size, method.patch_size) == ("rffr-mae", "base", 224, 16)
    assert (method.masking, method.mask_ratio, method.norm_pix) == ("random", 0.75, False)
    assert (method.pixel_mean, method.pixel_std) == ((0, 0, 0), (1, 1, 1))
    assert (optim.name, optim.betas, optim.weight_decay, optim.no_decay_on_norms) == ("adamw", (0.9, 0.95), 0.05, True)
    assert optim.lr == pytest.approx(1.5e-4 * 600 / 256)
    assert (recipe.schedule.name, recipe.schedule.warmup_steps) == ("cosine", 2_500)
    assert (recipe.trainer.batch_size, recipe.trainer.steps) == (600, 25_000)


def test_rffr_detector_has_the_published_numbers():
    recipe = load("rffr-ffpp-c23")
    method = recipe.method
    assert (method.name, method.branch, method.input_size) == ("rffr", "vit_base_patch16_224", 224)
    assert (method.block_probability, method.blocks_per_image, method.released_indexing) == (0.25, None, False)
    assert (method.residual.mode, method.residual.outer_ring, method.residual.amplification) == ("exact", False, 4)
    assert (recipe.optim.name, recipe.optim.lr, recipe.schedule.name) == ("adam", 2e-5, "constant")
    assert (recipe.trainer.batch_size, recipe.data.train.sampling, recipe.data.train.flip) == (32, "balanced", 0)
    assert recipe.encoder_weights == "timm"


def test_rffr_on_a_laptop_has_the_grid_of_the_paper():
    laptop, paper = (load(name).method for name in ("rffr-mae-laptop", "rffr-mae"))
    assert (laptop.size, laptop.input_size) == ("tiny", 112)
    assert laptop.grid_side == paper.grid_side == 14


@pytest.mark.parametrize("name", ["rffr-mae", "rffr-ffpp-c23"])
def test_rffr_for_a_gpu_computes_as_many_passes_at_once_as_it_takes_well(name):
    assert load(name).method.residual.chunk_size == 256


@pytest.mark.parametrize(("detector", "mae"), [("rffr-ffpp-c23", "rffr-mae"), ("rffr-laptop", "rffr-mae-laptop")])
def test_a_detector_of_rffr_can_be_built_on_the_mae_of_its_recipe(detector, mae):
    method = load(detector).method
    built = type(method).model_validate({**method.model_dump(exclude_unset=True), "mae": load(mae).method})
    assert (built.input_size, built.residual.mode) == (load(mae).method.input_size, "exact")


def test_the_real_faces_only_recipe_is_the_one_that_was_found_to_work():
    recipe = load("real-faces-only")
    assert (recipe.method.encoder, recipe.method.input_size, recipe.encoder_weights) == (
        "tf_efficientnet_lite0",
        160,
        "lite0",
    )
    assert recipe.method.folded_norms
    assert (recipe.method.mask_head, recipe.method.rank_weight, recipe.method.mask_weight) == (True, 0.5, 1.0)
    assert (recipe.optim.name, recipe.optim.lr, recipe.optim.encoder_lr) == ("adamw", 3e-4, 1e-4)
    assert recipe.optim.weight_decay == 0.01
    assert (recipe.schedule.name, recipe.schedule.warmup_steps) == ("cosine", 100)
    assert (recipe.trainer.batch_size, recipe.trainer.precision) == (16, "auto")
    assert (recipe.trainer.average_decay, recipe.trainer.average_warmup) == (0.998, True)
    assert recipe.pseudo_fakes.training_shares["swap"] >= 0.15
    assert recipe.pseudo_fakes.degradations is not None
    assert recipe.artifact.false_positive_rate == 0.05
