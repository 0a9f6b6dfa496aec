"""Frames of images and videos, and the choice of frames that represent a video."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import MediaError

MediaKind: TypeAlias = Literal["image", "video"]
HdrTransfer: TypeAlias = Literal["pq", "hlg"]
Spans: TypeAlias = Collection[tuple[int, int]]
"""Numbers of the first and last frame of each part of a video that is used; all of it when empty."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
        index: number of the frame in display order, from 0. Frames that cannot be decoded are counted where the file
            has time stamps.
        time_s: seconds after the first frame.
        image: (H, W, 3) uint8 RGB, as a player shows it, contiguous. H and W may differ from frame to frame.
        hdr: transfer function of an HDR frame that was converted to SDR; None for SDR.
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]
    hdr: HdrTransfer | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return (height, width) in pixels."""
        height, width = self.image.shape[:2]
        return height, width


@dataclass(frozen=True)
class VideoInfo:
    """Facts about a video, measured rather than taken from its header.

    Attributes:
        path: the file.
        width: width of the first frame as a player shows it, in pixels.
        height: height of the first frame as a player shows it, in pixels.
        fps: frames per second; the mean if the rate varies; 0 for an image.
        num_frames: number of frames that a player shows; frames that cannot be decoded are counted where the file has
            time stamps.
        duration_s: seconds from the first frame to the end of the last; 0 for an image.
        codec: FFmpeg's name of the codec, such as "h264"; Pillow's name of the format, such as "GIF".
        hdr: transfer function of an HDR video; None for SDR.
    """

    path: Path
    width: int
    height: int
    fps: float
    num_frames: int
    duration_s: float
    codec: str
    hdr: HdrTransfer | None = None


class MediaReader(Protocol):
    """An image or a video, measured once; its frames can be read several times."""

    @property
    def path(self) -> Path:
        """Return the file."""
        ...

    @property
    def kind(self) -> MediaKind:
        """Return `video` for anything with more than one frame, animated images included."""
        ...

    @property
    def num_damaged(self) -> int:
        """Return the number of frames of the last request that the decoder failed to decode."""
        ...

    def info(self) -> VideoInfo:
        """Return the file's size, length and codec."""
        ...

    def spread(self, count: int, *, spans: Spans = (), num_frames: int | None = None) -> list[int]:
        """Return the numbers of `count` frames, evenly spread over time.

        Args:
            count: number of frames, at least 1; all frames if the file has fewer.
            spans: parts of the video that are used.
            num_frames: use only this many frames from the start; all by default.

        Raises:
            MediaError: "no frames in the part", if the file ends before all of `spans`.
        """
        ...

    def frames_at(self, indices: Collection[int]) -> Iterator[Frame]:
        """Yield the frames with these numbers in display order, decoded one at a time in one pass.

        Args:
            indices: numbers of frames, at least one; numbers that the file does not have are ignored.

        Raises:
            MediaError: "no frames", if none of them can be decoded.
        """
        ...

    def frames(self, count: int, *, spans: Spans = ()) -> Iterator[Frame]:
        """Yield `frames_at(spread(count, spans=spans))`."""
        ...


def spread_indices(num_frames: int, count: int, *, spans: Spans = ()) -> list[int]:
    """Return the middle frame of each of `count` equal parts of a video, so that neither end is preferred.

    Args:
        num_frames: number of frames of the video.
        count: number of parts, at least 1; all frames are returned if there are fewer.
        spans: parts of the video that are used, joined as if they were one video; parts beyond the end are ignored.
    """
    assert count >= 1, count
    inside = range(num_frames) if not spans else _frames_inside(spans, num_frames)
    if len(inside) <= count:
        return list(inside)
    return [inside[(2 * part + 1) * len(inside) // (2 * count)] for part in range(count)]


def spread_over_time(times: Sequence[float], count: int, *, spans: Spans = ()) -> list[int]:
    """Return the numbers of the frames shown in the middle of each of `count` parts of equal duration.

    Equals `spread_indices` if the frame rate is constant. A frame that is shown over several of these moments counts
    once; other frames, evenly spread, take the remaining places.

    Args:
        times: when each frame is shown, in seconds, rising.
        count: number of frames to choose, at least 1; all frames are returned if there are fewer.
        spans: parts of the video that are used, joined as if they were one video.
    """
    # frames that are off by a quarter of a part, and by at most two, are as well chosen by number
    if has_constant_rate(times, within=min(2.0, len(times) / (4 * count))):
        return spread_indices(len(times), count, spans=spans)
    inside = range(len(times)) if not spans else _frames_inside(spans, len(times))
    if len(inside) <= count:
        return list(inside)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    durations = np.array([*gaps, float(np.median(gaps))])[list(inside)]
    ends = np.cumsum(durations)
    moments = (2 * np.arange(count) + 1) / (2 * count) * ends[-1]
    chosen = {inside[at] for at in np.searchsorted(ends, moments, side="right").tolist()}
    rest = [index for index in inside if index not in chosen]
    chosen |= {rest[at] for at in spread_indices(len(rest), count - len(chosen))} if len(chosen) < count else set()
    return sorted(chosen)


def has_constant_rate(times: Sequence[float], *, within: float) -> bool:
    """Return whether every frame is shown about when it would be at a constant rate.

    Args:
        times: when each frame is shown, rising, in any unit.
        within: largest difference allowed, in frames.
    """
    if len(times) < 3:
        return True
    at = np.asarray(times, dtype=np.float64)
    even = np.linspace(at[0], at[-1], len(at))
    return bool(np.abs(at - even).max() < within * (even[1] - even[0]))


def require_frames_inside(path: Path, indices: list[int], spans: Spans, num_frames: int) -> list[int]:
    """Return `indices`, or raise if `spans` leave no frame.

    Raises:
        MediaError: "no frames in the part".
    """
    if not indices:
        parts = ", ".join(f"{first} to {last}" for first, last in spans)
        raise MediaError(
            f"{path} has no frames in the part {parts}: it has {num_frames}, counted from 0",
            reason="no frames in the part",
            hint="correct the part, or copy or download the video again",
        )
    return indices


def _frames_inside(spans: Spans, num_frames: int) -> list[int]:
    """Return the numbers of all frames in at least one span, in order."""
    return sorted({index for first, last in spans for index in range(max(first, 0), min(last + 1, num_frames))})
