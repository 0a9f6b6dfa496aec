import csv
import json

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from realface.core.errors import CropSpecError, LayoutError, MissingInputError, OutputExistsError
from realface.core.files import sha256_of
from realface.data.manifest import Manifest
from realface.data.manifest_checks import check_manifest
from realface.faces.finders import default_crop_spec
from realface.media.images import read_image
from realface.media.video_writing import write_video
from realface.prepare.pipeline import UNFINISHED, prepare

SPEC = default_crop_spec(size=32, frames=2)


@pytest.fixture
def source(tmp_path):
    """A folder with one real portrait, its mirror image as the fake, a picture without a face and a broken one."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = Image.open(file).convert("RGB").resize((256, 300))
    for name, picture in {
        "real/grace.png": portrait,
        "fake/ecarg.png": Image.fromarray(np.asarray(portrait)[:, ::-1]),
        "real/sky.png": Image.new("RGB", (200, 200), "skyblue"),
    }.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "in" / name)
    (tmp_path / "in" / "fake" / "broken.jpg").write_text("no picture")
    return tmp_path / "in"


def test_faces_become_crops_and_a_manifest(source, tmp_path):
    result = prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    assert (result.layout, result.num_sources, result.num_crops) == ("plain", 4, 2)
    manifest = Manifest.read(result.manifest)
    assert manifest.header.crop == SPEC
    assert sorted(manifest.labels) == [0, 1]
    assert all(manifest.file_of(row).exists() for row in range(len(manifest)))
    assert manifest.header.sources["real/grace.png"] == sha256_of(source / "real" / "grace.png")


def test_every_loss_is_counted_and_named_with_its_reason(source, tmp_path):
    result = prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    assert result.losses == {"no face found": 1, "not a picture": 1}
    assert Manifest.read(result.manifest).header.losses == result.losses
    with (tmp_path / "out" / "losses.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], row["reason"]) for row in rows] == [
        ("fake/broken.jpg", "not a picture"),
        ("real/sky.png", "no face found"),
    ]


def test_worker_processes_give_the_same_manifest_as_none(source, tmp_path):
    alone = prepare(source, tmp_path / "alone", spec=SPEC, workers=0, quiet=True)
    shared = prepare(source, tmp_path / "shared", spec=SPEC, workers=2, quiet=True)
    assert alone.manifest.read_bytes() == shared.manifest.read_bytes()


def test_a_broken_off_run_goes_on_without_doing_anything_twice(source, tmp_path, monkeypatch):
    from realface.prepare import pipeline

    whole = prepare(source, tmp_path / "whole", spec=SPEC, workers=0, quiet=True)
    real_work, done = pipeline.prepare_item, []

    def interrupted(item, **settings):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(item.video)
        return real_work(item, **settings)

    monkeypatch.setattr(pipeline, "prepare_item", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    assert not (tmp_path / "out" / "manifest.parquet").exists()
    again = []
    monkeypatch.setattr(pipeline, "prepare_item", lambda item, **s: again.append(item.video) or real_work(item, **s))
    resumed = prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    assert len(again) == 2
    assert not set(again) & set(done)
    assert resumed.manifest.read_bytes() == whole.manifest.read_bytes()
    assert not (tmp_path / "out" / UNFINISHED).exists()


@pytest.fixture
def masked_source(tmp_path):
    """FaceForensics++'s layout: two fakes of a portrait, the second one's mask a frame short."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = np.asarray(Image.open(file).convert("RGB").resize((256, 300)))
    marked = np.zeros_like(portrait)
    marked[:150] = 255
    root = tmp_path / "study"
    write_video(root / "original_sequences/youtube/c23/videos/000.mp4", [portrait] * 2)
    for name, num_masks in (("000_001.mp4", 2), ("000_002.mp4", 1)):
        write_video(root / "manipulated_sequences/Swap/c23/videos" / name, [portrait] * 2)
        write_video(root / "manipulated_sequences/Swap/masks/videos" / name, [marked] * num_masks)
    return root


def test_masks_of_fakes_are_cut_and_those_that_do_not_fit_are_counted_and_named(masked_source, tmp_path):
    result = prepare(masked_source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    assert (result.num_crops, result.num_masks) == (6, 2)
    assert (result.losses, result.mask_losses) == ({}, {"other length": 1})
    manifest = Manifest.read(result.manifest)
    assert manifest.header.losses == {"mask: other length": 1}
    masks = dict(zip(manifest.column("video"), manifest.column("mask"), strict=True))
    assert masks["000"] is None
    assert masks["000_002"] is None
    assert read_image(manifest.root / masks["000_001"]).shape == (32, 32, 3)
    with (tmp_path / "out" / "losses.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["source"], row["reason"]) == (
        "manipulated_sequences/Swap/c23/videos/000_002.mp4",
        "mask: other length",
    )
    assert "has 1 frames but" in row["text"]


def test_worker_processes_cut_the_same_masks_as_none(masked_source, tmp_path):
    for name, workers in (("alone", 0), ("shared", 2)):
        prepare(masked_source, tmp_path / name, spec=SPEC, workers=workers, quiet=True)
    names = sorted(path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*.p*"))
    assert len(names) == 6 + 2 + 1
    assert all((tmp_path / "alone" / name).read_bytes() == (tmp_path / "shared" / name).read_bytes() for name in names)


def test_a_mask_that_is_gone_afterwards_is_found_by_the_check(masked_source, tmp_path):
    manifest = Manifest.read(prepare(masked_source, tmp_path / "out", spec=SPEC, workers=0, quiet=True).manifest)
    assert not any(fault.kind.startswith("missing") for fault in check_manifest(manifest))
    (manifest.root / next(filter(None, manifest.column("mask")))).unlink()
    assert "missing mask" in {fault.kind for fault in check_manifest(manifest)}


def test_going_on_with_other_settings_is_refused(source, tmp_path):
    (tmp_path / "out" / UNFINISHED).mkdir(parents=True)
    (tmp_path / "out" / UNFINISHED / "settings.json").write_text(json.dumps({"source": "elsewhere"}))
    with pytest.raises(OutputExistsError, match="unfinished preparation with other settings, or of other files"):
        prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)


def test_going_on_after_the_source_changed_is_refused(source, tmp_path, monkeypatch):
    from realface.prepare import pipeline

    def interrupted(item, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "prepare_item", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    (source / "fake" / "broken.jpg").rename(source / "real" / "broken.jpg")
    with pytest.raises(OutputExistsError, match="or of other files; give another folder"):
        prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)


def test_an_output_folder_with_something_in_it_is_refused_and_left_alone(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="exists and is not empty"):
        prepare(source, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_missing_source_folder_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"source folder .*nowhere does not exist"):
        prepare(tmp_path / "nowhere", tmp_path / "out", spec=SPEC, quiet=True)


def test_a_layout_without_any_file_is_refused(tmp_path):
    (tmp_path / "in" / "real").mkdir(parents=True)
    with pytest.raises(LayoutError):
        prepare(tmp_path / "in", tmp_path / "out", spec=SPEC, quiet=True)
    with pytest.raises(LayoutError, match="has the layout plain but holds no video and no picture"):
        prepare(tmp_path / "in", tmp_path / "out", spec=SPEC, layout="plain", quiet=True)
    assert not (tmp_path / "out").exists()


def test_a_spec_that_cannot_be_followed_here_is_refused_before_any_work(source, tmp_path):
    spec = SPEC.model_copy(update={"finder": "other"})
    with pytest.raises(CropSpecError, match="no face finder is called 'other'"):
        prepare(source, tmp_path / "out", spec=spec, quiet=True)
    assert not (tmp_path / "out").exists()


def test_a_killed_worker_process_is_explained(source, tmp_path, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    from realface.core.errors import RealfaceError
    from realface.prepare import pipeline

    def broken(_):
        raise BrokenProcessPool("killed")

    monkeypatch.setattr(pipeline, "as_completed", broken)
    with pytest.raises(RealfaceError, match=r"a worker process was killed.*run the same command again"):
        prepare(source, tmp_path / "out", spec=SPEC, workers=1, quiet=True)
