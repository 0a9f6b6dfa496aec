"""Opening any image or video as a sequence of frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realface.media.frames import Frame, MediaKind, MediaReader, Spans, VideoInfo, require_frames_inside, spread_indices
from realface.media.images import is_image_name, read_image
from realface.media.videos import VideoReader


def open_media(path: Path, *, threads: int = 0) -> MediaReader:
    """Open an image or a video.

    Args:
        path: the file; its content decides what it is, not its suffix.
        threads: number of decoding threads; 0 uses all cores.

    Raises:
        MissingInputError: no such file.
        MediaError: it cannot be read.
    """
    return ImageReader.open(path) if is_image_name(path) else VideoReader.open(path, threads=threads)


class ImageReader:
    """A still image as a sequence of one frame; use `ImageReader.open`.

    Args:
        path: the file.
        image: (H, W, 3) uint8 RGB.
    """

    kind: MediaKind = "image"
    num_damaged = 0

    def __init__(self, path: Path, image: NDArray[np.uint8]) -> None:
        self.path = path
        self._image = image

    @classmethod
    def open(cls, path: Path) -> ImageReader:
        """Read the image.

        Raises:
            MissingInputError, MediaError: as `read_image`.
        """
        return cls(path, read_image(path))

    def info(self) -> VideoInfo:
        """Return the image's size."""
        height, width = self._image.shape[:2]
        return VideoInfo(self.path, width, height, fps=0.0, num_frames=1, duration_s=0.0, codec="image")

    def spread(self, count: int, *, spans: Spans = (), num_frames: int | None = None) -> list[int]:
        """Return [0]; see `MediaReader.spread`."""
        most = 1 if num_frames is None else min(num_frames, 1)
        return require_frames_inside(self.path, spread_indices(most, count, spans=spans), spans, 1)

    def frames_at(self, indices: Collection[int]) -> Iterator[Frame]:
        """Yield the image if `indices` contains 0."""
        if 0 in indices:
            yield Frame(0, 0.0, self._image)

    def frames(self, count: int, *, spans: Spans = ()) -> Iterator[Frame]:
        """Yield the image."""
        yield from self.frames_at(self.spread(count, spans=spans))
