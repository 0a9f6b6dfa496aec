"""Opening any image or video as a sequence of frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import MediaError
from realface.media.animations import AnimationReader, decoded_frame, shown_frames
from realface.media.file_types import is_text, kind_of_head, read_head
from realface.media.frames import Frame, MediaKind, MediaReader, Spans, VideoInfo, require_frames_inside, spread_indices
from realface.media.input_files import require_file, unreadable
from realface.media.library_messages import set_library_messages
from realface.media.pillow_files import open_image
from realface.media.videos import VideoReader, is_video_name


def open_media(path: Path, *, threads: int = 0) -> MediaReader:
    """Open an image or a video.

    An image with more than one frame, such as an animated GIF or WebP or a TIFF with several pages, is read like a
    video.

    Args:
        path: file to open; its first bytes decide on its type, not its suffix.
        threads: number of decoding threads; 0 uses all cores.

    Raises:
        MissingInputError: no such file.
        MediaError: it cannot be read; "not an image or video" if its content is of another kind.
    """
    set_library_messages()
    require_file(path, what="image or video")
    try:
        head = read_head(path)
    except OSError as error:
        raise unreadable(path, error) from error
    kind = kind_of_head(head)
    if kind == "image":
        return _open_image(path)
    if kind == "video" or is_video_name(path):  # the name only decides which error is raised for a damaged video
        return VideoReader.open(path, threads=threads)
    if not is_text(head):  # FFmpeg can read more video formats than we recognise
        with suppress(MediaError):
            return VideoReader.open(path, threads=threads)
    raise MediaError(
        f"{path} is not an image or video that can be read",
        reason="not an image or video",
        hint="convert it to PNG, JPEG or MP4, or leave it out",
    )


def _open_image(path: Path) -> MediaReader:
    with open_image(path) as image:
        numbers = shown_frames(image)
        if len(numbers) == 1:
            return ImageReader(path, decoded_frame(image, numbers[0], path))
    return AnimationReader.open(path)


class ImageReader:
    """A still image as a sequence of one frame.

    Args:
        path: the file.
        image: (H, W, 3) uint8 RGB.
    """

    kind: MediaKind = "image"
    num_damaged = 0

    def __init__(self, path: Path, image: NDArray[np.uint8]) -> None:
        self.path = path
        self._image = image

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
