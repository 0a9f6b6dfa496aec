"""The small trees with real videos in them, all the way to a manifest. Add a layout of videos to `NAMES`."""

import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.data.layouts.registry import choose_layout
from realface.data.manifest import Manifest
from realface.faces.finder import Face
from realface.media.video_writing import write_video
from realface.prepare import pipeline

NAMES = ["faceforensics", "celeb_df", "dfd", "dfdc", "dfdc_preview"]
SPEC = CropSpec(finder="fixed", margin=0.0, size=16, frames=2)


class FixedFinder:
    name, version = "fixed", "1"

    def find(self, images):
        face = Face(Box(8, 8, 40, 40), score=0.9, landmarks=np.zeros((5, 2), dtype=np.float32))
        return [[face] for _ in images]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """The bytes of a video of two frames."""
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    write_video(path, [np.full((48, 64, 3), level, dtype=np.uint8) for level in (90, 120)])
    return path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_video_becomes_crops_with_its_own_row_and_file(name, build_tree, tmp_path, video, monkeypatch):
    root = build_tree(name, tmp_path / "study")
    for file in root.rglob("*.mp4"):
        file.write_bytes(video)
    monkeypatch.setattr(pipeline, "finder_for", lambda _spec: FixedFinder())
    result = pipeline.prepare(root, tmp_path / "out", spec=SPEC, workers=0, quiet=True)
    manifest = Manifest.read(result.manifest)
    items = {item.source.relative_to(root).as_posix(): item for item in choose_layout(root).scan(root).items}
    assert (result.layout, result.losses, result.mask_losses) == (name, {}, {})
    assert len(manifest) == 2 * len(items) == len(set(manifest.column("path")))
    assert len(set(manifest.video_keys())) == len(items)
    for column in ("label", "split", "video", "original"):
        expected = [getattr(items[source], column) for source in manifest.column("source")]
        assert manifest.column(column) == expected
    masked = [items[source].mask is not None for source in manifest.column("source")]
    assert [mask is not None for mask in manifest.column("mask")] == masked
