"""The generated video of the benchmarks: a public-domain portrait that moves over a textured background."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.media.images import read_image
from realface.media.video_writing import write_video

PORTRAIT_SHARE = 0.95  # of the clip's height; the face is then about 200 of 720 pixels high


@dataclass(frozen=True)
class ClipSize:
    """Size and duration of a clip.

    Attributes:
        height: height in pixels.
        width: width in pixels.
        fps: frames per second.
        duration_s: duration in seconds.
    """

    height: int = 720
    width: int = 1280
    fps: int = 25
    duration_s: float = 10.0

    @property
    def num_frames(self) -> int:
        """Number of frames in the clip."""
        return round(self.fps * self.duration_s)


def write_clip(path: Path, size: ClipSize) -> Path:
    """Write the clip. Its frames are the same every time."""
    write_video(path, portrait_frames(size), fps=size.fps)
    return path


def portrait_frames(size: ClipSize) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of matplotlib's portrait of Grace Hopper (public domain) that sways, nods and comes closer.

    Yields:
        (height, width, 3) RGB.
    """
    from matplotlib import get_data_path

    portrait = read_image(Path(get_data_path(), "sample_data", "grace_hopper.jpg"))
    background = _background(size)
    height, width = portrait.shape[:2]
    for index in range(size.num_frames):
        time_s = index / size.fps
        scale = PORTRAIT_SHARE * size.height / height * (1 + 0.1 * math.sin(2 * math.pi * time_s / 4))
        placed = cv2.getRotationMatrix2D((width / 2, height / 2), 6 * math.sin(2 * math.pi * time_s / 3), scale)
        placed[0, 2] += size.width * (0.5 + 0.2 * math.sin(2 * math.pi * time_s / 5)) - width / 2
        placed[1, 2] += size.height / 2 - height / 2
        frame = background.copy()
        cv2.warpAffine(portrait, placed, (size.width, size.height), dst=frame, borderMode=cv2.BORDER_TRANSPARENT)
        yield frame


def _background(size: ClipSize) -> NDArray[np.uint8]:
    """Return soft noise, (height, width, 3), so that the frames are not trivial to encode."""
    coarse = np.random.default_rng(0).uniform(90, 150, (size.height // 16 + 1, size.width // 16 + 1, 3))
    return cv2.resize(coarse, (size.width, size.height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
