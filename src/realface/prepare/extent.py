"""How long and large a source file is, and which frames of it are looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from realface.media.frames import Frame
from realface.media.images import is_image_name, read_image
from realface.media.videos import frames_at, probe_video, spread_numbers
from realface.prepare.record import Extent

Spans = Sequence[tuple[int, int]]
"""First and last frame of each part of a video that is used; all of it when empty."""


def extent_of(path: Path) -> Extent:
    """Length and size of a video; a picture is one frame.

    Raises:
        MissingInputError: no such file.
        MediaError: it cannot be read.
    """
    if is_image_name(path):
        height, width = read_image(path).shape[:2]
        return Extent(1, width, height, 0.0)
    info = probe_video(path)
    return Extent(info.num_frames, info.width, info.height, info.fps)


def frames_wanted(path: Path, *, count: int, spans: Spans) -> list[int]:
    """The numbers of the frames that are looked at: `count`, evenly spread over the file, or over the given parts.

    Raises:
        MissingInputError: no such file.
        MediaError: it cannot be read, or ends before all parts.
    """
    return [0] if is_image_name(path) else spread_numbers(path, count, spans=spans)


def frames_numbered(path: Path, indices: Collection[int], *, threads: int) -> Iterator[Frame]:
    """The frames of those numbers but damaged ones; a picture's only one is 0."""
    if is_image_name(path):
        yield Frame(index=0, time_s=0.0, image=read_image(path))
    else:
        yield from frames_at(path, indices, threads=threads)
