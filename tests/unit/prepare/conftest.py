"""A face detector that is told what it finds, and small videos for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.labels import Label
from realface.datasets.reader import SourceVideo
from realface.faces.detectors.face_detector import Face
from realface.media.video_writing import write_video
from realface.prepare.output_folder import OutputFolder

POINTS = np.array([[12, 20], [30, 20], [21, 28], [14, 36], [28, 36]], dtype=np.float32)


class FixedFaceDetector:
    """Finds, in every picture, the faces it was told of; none where the picture is black. Counts the pictures."""

    name, version = "fixed", "1"

    def __init__(self, *boxes):
        self._faces = [Face(Box(*box), score=0.9, landmarks=POINTS) for box in boxes]
        self.num_pictures = 0

    def detect(self, images):
        self.num_pictures += len(images)
        return [self._faces if image.max() > 40 else [] for image in images]


@pytest.fixture
def fixed_face_detector():
    return FixedFaceDetector


@pytest.fixture
def make_item():
    """Builds an item of a fake, with changes."""

    def make(source: Path, **known) -> SourceVideo:
        item = SourceVideo(
            source=source,
            label=Label.FAKE,
            dataset="set",
            video="a_b",
            method="Swap",
            compression="c23",
            split="test",
            identities=("a", "b"),
            original="a",
        )
        return replace(item, **known)

    return make


@pytest.fixture
def output(tmp_path):
    """An output folder in `tmp_path/out` that keeps the largest face, without margin, at 16 px, of four frames."""
    spec = CropSpec(face_detector="fixed", margin=0.0, size=16, frames=4)
    (tmp_path / "scratch").mkdir()
    return OutputFolder(source_root=tmp_path, out=tmp_path / "out", scratch=tmp_path / "scratch", spec=spec)


@pytest.fixture
def grey_video():
    """Writes a small video whose frames are plain greys."""

    def write(path: Path, *levels: int, height: int = 48, width: int = 64, fps: float = 25) -> Path:
        frames = [np.full((height, width, 3), level, dtype=np.uint8) for level in levels]
        write_video(path, frames, crf=0, fps=fps)
        return path

    return write
