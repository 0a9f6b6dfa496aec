"""Training from a folder of somebody's own photos and videos."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from realface.cli.main import run
from realface.cli.own_faces import prepare_own_faces
from realface.core.errors import MissingInputError, OutputExistsError, RecipeError, TrainingError
from realface.manifest.manifest import Manifest
from realface.media.video_writing import write_video
from realface.training.recipe import load_train_recipe
from realface.training.run import train

FRAMES = 9
SMALL = [
    "encoder_weights=null",
    "method={name: baseline, encoder: light_xception, input_size: 64}",
    "pseudo_fakes.kinds={self_blend: 1, swap: 1}",
    "pseudo_fakes.validation_pairs=4",
    "trainer={steps: 2, batch_size: 4, device: cpu}",
    "data.workers=0",
    "data.crops.min_face=40",
    f"data.crops.frames={FRAMES}",
]


def options(folder, *more):
    return [word for setting in (*SMALL, f"data.real={folder}", *more) for word in ("--set", setting)]


def own_recipe(folder, *more):
    return load_train_recipe("real-faces-only", overrides=[*SMALL, f"data.real={folder}", *more])


def portraits():
    """(name, (200, 200, 3) image) of six people who are made from two."""
    import matplotlib.cbook
    import skimage.data

    with Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as file:
        hopper = np.asarray(file.convert("RGB"))
    pictures = {"astronaut": skimage.data.astronaut()[0:260, 100:360], "hopper": hopper[20:440, 60:480]}
    for name, image in pictures.items():
        small = cv2.resize(image, (200, 200), interpolation=cv2.INTER_AREA)
        yield name, small
        yield f"{name}-mirrored", np.ascontiguousarray(small[:, ::-1])
        yield f"{name}-darker", (small * 0.7).astype(np.uint8)


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    """Six videos, a photo and its copy, a photo without a face, and a note."""
    folder = tmp_path_factory.mktemp("own") / "mine"
    (folder / "photos").mkdir(parents=True)
    for name, image in portraits():
        frames = [np.roll(image, 2 * number, axis=1) for number in range(FRAMES)]
        write_video(folder / "videos" / f"{name}.mp4", frames)
    Image.fromarray(next(portraits())[1]).save(folder / "photos" / "photo.png")
    shutil.copy(folder / "photos" / "photo.png", folder / "photos" / "copy.png")
    Image.new("RGB", (200, 200)).save(folder / "photos" / "nobody.png")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory, own_folder):
    """A finished run."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert run(["train", "real-faces-only", "--out", str(out), *options(own_folder)]) == 0
    return out


def test_a_folder_ends_as_a_detector_with_card_and_numbers(finished):
    assert (finished / "artifact" / "model.json").is_file()
    card = (finished / "card.md").read_text(encoding="utf-8")
    assert "Never publish or remove content on the score alone." in card
    assert "### Test identities" in card
    results = json.loads((finished / "results.json").read_text(encoding="utf-8"))["results"]
    kinds = {each["kind"] for each in results if each["data"] == "test identities" and each["metric"] == "auc"}
    assert kinds == {"all", "self_blend", "swap"}
    assert next(each["groups"] for each in results if each["metric"] == "false alarms") == 2


def test_every_identity_is_in_one_split_and_copies_are_left_out(finished):
    split = Manifest.read(finished / "faces" / "split.parquet")
    people = [names[0] for names in split.column("identities")]
    splits = set(zip(people, split.column("split"), strict=True))
    assert len(splits) == len(set(people)), "nobody is in two splits"
    assert sorted(name for _, name in splits) == ["test", "test", "train", "train", "train", "val", "val"]
    assert len(Manifest.read(finished / "faces" / "manifest.parquet")) == len(split) + 1
    assert split.header.crop.margin == pytest.approx(0.4)
    assert split.header.crop.size == 128


def test_resuming_a_finished_run_gives_the_same_numbers(finished, own_folder, capsys):
    before = {name: (finished / name).read_bytes() for name in ("results.json", "faces/split.parquet")}
    assert run(["train", "--out", str(finished), "--resume"]) == 0
    assert "auc, pseudo-fakes (kind swap): " in capsys.readouterr().out
    assert run(["train", "real-faces-only", "--out", str(finished), "--resume", "--json", *options(own_folder)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["card"] == str(finished / "card.md")
    assert len(shown["results"]) > 5
    assert {name: (finished / name).read_bytes() for name in before} == before


def test_an_interrupted_preparation_continues_without_resume(tmp_path, own_folder, finished):
    shutil.copytree(finished / "faces", tmp_path / "run" / "faces")
    made = prepare_own_faces(own_recipe(own_folder), tmp_path / "run", resume=False, quiet=True)
    assert made.data.manifests == [tmp_path / "run" / "faces" / "split.parquet"]
    assert made.data.real is None


def test_a_run_that_has_begun_needs_resume(finished, own_folder):
    with pytest.raises(OutputExistsError, match="holds a run already; go on with it by --resume"):
        prepare_own_faces(own_recipe(own_folder), finished, resume=False, quiet=True)


def test_a_folder_with_other_files_is_refused(tmp_path, own_folder):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").touch()
    with pytest.raises(OutputExistsError, match="exists and is not empty"):
        prepare_own_faces(own_recipe(own_folder), tmp_path / "run", resume=False, quiet=True)


def test_too_few_faces_are_refused_before_training(tmp_path, own_folder):
    with pytest.raises(TrainingError, match="1 usable faces in 3 photos") as caught:
        prepare_own_faces(own_recipe(own_folder / "photos"), tmp_path / "run", resume=False, quiet=True)
    assert "training needs at least 50; add more; skipped files by reason (details in skipped.csv)" in str(caught.value)


def test_too_few_identities_are_refused_before_training(tmp_path, own_folder):
    with pytest.raises(
        TrainingError, match="the faces are of 2 identities, but training, validation and test need two"
    ):
        prepare_own_faces(own_recipe(own_folder, "data.identities=folders"), tmp_path / "run", resume=False, quiet=True)


@pytest.mark.parametrize(
    ("name", "text"), [("none", "none does not exist; give a folder with photos"), ("file", "file is a file; give")]
)
def test_a_missing_folder_and_a_file_are_refused(tmp_path, name, text):
    (tmp_path / "file").touch()
    with pytest.raises(MissingInputError, match=text):
        prepare_own_faces(own_recipe(tmp_path / name), tmp_path / "run", resume=False, quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_run_inside_the_folder_of_faces_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"is inside data.real, .*so its crops would become training faces"):
        prepare_own_faces(own_recipe(tmp_path), tmp_path / "run", resume=False, quiet=True)


def test_several_processes_are_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(TrainingError, match="faces are prepared by one process, but several train"):
        prepare_own_faces(
            own_recipe(tmp_path / "mine", "trainer.devices=2"), tmp_path / "run", resume=False, quiet=True
        )


def test_faces_that_are_not_prepared_are_refused_by_the_library(tmp_path):
    with pytest.raises(TrainingError, match=r"data.real: the faces are not prepared yet; start this recipe"):
        train(own_recipe(tmp_path), tmp_path / "run")


def test_a_folder_and_manifests_together_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="`real` and `manifests` are both given"):
        own_recipe(tmp_path, "data.manifests=[faces.parquet]")


def test_a_recipe_without_pseudo_fakes_cannot_train_on_a_folder(tmp_path):
    with pytest.raises(RecipeError, match=r"`data.real` has real faces only, and this recipe makes no fakes from them"):
        load_train_recipe("demo", overrides=[f"data.real={tmp_path}"])


@pytest.mark.parametrize(("input_size", "size"), [(64, 128), (160, 256), (224, 320)])
def test_crops_are_large_enough_for_the_network(input_size, size):
    assert own_recipe(Path("mine")).data.crops.size_for(input_size) == size
