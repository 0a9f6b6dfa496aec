"""The small trees with real videos and images in them, all the way to a manifest. Add a dataset to `NAMES`."""

import tarfile
from collections import Counter

import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.datasets.registry import choose_reader
from realface.faces.detectors.face_detector import Face
from realface.manifest.manifest import Manifest
from realface.media.images import is_image_name, write_image
from realface.media.video_writing import write_video
from realface.prepare import executors, pipeline

NAMES = ["faceforensics", "celeb_df", "dfd", "dfdc", "dfdc_preview", "forgerynet", "deeperforensics", "ffiw"]
SPEC = CropSpec(face_detector="fixed", margin=0.0, size=16, frames=2)


class FixedFaceDetector:
    name, version = "fixed", "1"

    def detect(self, images):
        face = Face(Box(8, 8, 40, 40), score=0.9, landmarks=np.zeros((5, 2), dtype=np.float32))
        return [[face] for _ in images]


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """The bytes of a video of two frames, of an image, and of a tar with two sequences of two, by suffix."""
    folder = tmp_path_factory.mktemp("media")
    frames = [np.full((48, 64, 3), level, dtype=np.uint8) for level in (90, 120)]
    write_video(folder / "x.mp4", frames)
    write_image(folder / "x.png", frames[0])
    image = (folder / "x.png").read_bytes()
    with tarfile.open(folder / "x.tar.gz", "w:gz") as tar:
        for name in ("0/1.png", "0/2.png", "1/1.png", "1/2.png"):
            tar.add(folder / "x.png", arcname=name)
    packed = (folder / "x.tar.gz").read_bytes()
    return {".mp4": (folder / "x.mp4").read_bytes(), ".jpg": image, ".png": image, ".tar.gz": packed}


@pytest.fixture
def prepare_tree(build_tree, tmp_path, media, monkeypatch):
    """`prepare_tree(name)` fills the small tree of a dataset and prepares it; gives its folder and the result."""

    def prepare_tree(name, *, without=(), lists=()):
        root = build_tree(name, tmp_path / "study")
        for suffix, content in media.items():
            for file in root.rglob(f"*{suffix}"):
                file.write_bytes(content)
        for path in without:
            (root / path).unlink()
        for path, text in dict(lists).items():
            (root / path).write_text(text)
        for module in (pipeline, executors):
            monkeypatch.setattr(module, "face_detector_for", lambda _spec, **_settings: FixedFaceDetector())
        execution = pipeline.ExecutionSettings(workers=0, quiet=True)
        return root, pipeline.prepare_dataset(root, tmp_path / "out", spec=SPEC, execution=execution)

    return prepare_tree


@pytest.mark.parametrize("name", NAMES)
def test_every_file_becomes_crops_with_their_own_rows_and_files(name, prepare_tree):
    root, result = prepare_tree(name)
    manifest = Manifest.read(result.manifest)
    items = {item.source.relative_to(root).as_posix(): item for item in choose_reader(root).scan(root).items}
    assert (result.dataset, result.skipped, result.skipped_masks) == (name, {}, {})
    num_frames = sum(1 if is_image_name(item.source) else 2 for item in items.values())
    assert len(manifest) == num_frames == len(set(manifest.column("path")))
    assert len(set(manifest.video_keys())) == len(items)
    for column in ("label", "split", "video", "original"):
        expected = [getattr(items[source], column) for source in manifest.column("source")]
        assert manifest.column(column) == expected
    masked = [items[source].mask is not None for source in manifest.column("source")]
    assert [mask is not None for mask in manifest.column("mask")] == masked


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("dfd", "DeepFakeDetection/masks/videos/01_02__kitchen_pan__ABCDEFGH.mp4"),
        ("ffiw", "target_mask/train/videos/00002.mp4"),
    ],
)
def test_a_mask_that_is_not_in_the_masks_folder_is_counted_as_missing(name, mask, prepare_tree):
    _, result = prepare_tree(name, without=[mask])
    assert (result.skipped, result.skipped_masks) == ({}, {"missing": 1})


def test_of_a_video_that_is_forged_in_part_only_the_forged_frames_are_used(prepare_tree):
    source = "train_video_release/3/d.mp4"
    _, result = prepare_tree("forgerynet", lists={"Training/video/list.txt": f"2 {source} 0 1 0 1 1 1 1 1 3"})
    rows = Manifest.read(result.manifest).filter(source=f"Training/video/{source}")
    assert (rows.column("frame"), rows.column("label")) == ([1], [1])


CROP_VIDEOS = {
    "wilddeepfake": {
        "fake_train/7/3": (1, "train", 2),
        **{f"real_train/{tar}/{sequence}": (0, "train", 2) for tar in (2, 10) for sequence in (0, 1)},
        **{
            f"{kind}_test/1/{sequence}": (label, "test", 2)
            for kind, label in (("real", 0), ("fake", 1))
            for sequence in (0, 1)
        },
    },
    "df40": {
        "simswap/ff/071_054": (1, "test", 2),
        "simswap/cdf/id0_id1_0000": (1, "test", 2),
        "simswap/ff/000_003": (1, "train", 2),
        "MidJourney/fake/1.png": (1, "test", 1),
        "MidJourney/real/1.png": (0, "test", 1),
        "heygen/fake/anna": (1, "test", 1),
        "heygen/real/anna": (0, "test", 1),
    },
}
"""Label, split and number of crops of each video, of data sets that come as face crops."""


@pytest.mark.parametrize("name", CROP_VIDEOS)
def test_face_crops_of_a_data_set_are_copied_byte_for_byte_with_their_own_rows(name, prepare_tree, media):
    _, result = prepare_tree(name)
    manifest = Manifest.read(result.manifest)
    assert (result.dataset, result.skipped, result.skipped_frames) == (name, {}, {})
    assert manifest.header.crop.is_unknown
    columns = (manifest.column(column) for column in ("video", "label", "split"))
    assert Counter(zip(*columns, strict=True)) == {
        (video, label, split): count for video, (label, split, count) in CROP_VIDEOS[name].items()
    }
    assert {manifest.file_of(row).read_bytes() for row in range(len(manifest))} == {media[".png"]}
    assert len(set(manifest.column("path"))) == len(manifest)
