"""Decoded frames as a player shows them: upright, in square pixels, over white, deinterlaced, in SDR."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from realface.media.containers import MAX_PIXELS
from realface.media.frames import HdrTransfer
from realface.media.hdr import TRANSFERS, sdr_from_hdr

Number = TypeVar("Number")

_LONGEST_PIXEL = 8  # width to height or the inverse; a file that claims more is taken to have square pixels
_MIN_INTERLACED = 16  # pixels; FFmpeg refuses to deinterlace frames of a few lines
_SHAPE_LINES = 16  # of a frame, which are scaled to learn the shape of its pixels


def hdr_transfer(frame: VideoFrame) -> HdrTransfer | None:
    """Return the transfer function of an HDR frame; None for SDR."""
    return TRANSFERS.get(int(frame.color_trc))


class SquarePixels:
    """Width of frames in square pixels.

    Args:
        stream: the video stream, while its file is open.
        vary: whether each frame states the shape of its pixels, as in broadcasts that change between 4:3 and 16:9.
    """

    def __init__(self, stream: VideoStream, *, vary: bool) -> None:
        self._stream = stream
        self._vary = vary
        self._graph: Graph | None = None
        self._key: tuple[int, int, str] | None = None

    def width(self, frame: VideoFrame) -> int:
        """Return the width of a stored frame in square pixels."""
        width = self._stated_width(frame) if self._vary else self._width_in_file(frame)
        is_plausible = frame.width / _LONGEST_PIXEL <= width <= frame.width * _LONGEST_PIXEL
        return max(1, width) if is_plausible and width * frame.height <= MAX_PIXELS else frame.width

    def _width_in_file(self, frame: VideoFrame) -> int:
        shape = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio or 1
        return round(frame.width * shape)

    def _stated_width(self, frame: VideoFrame) -> int:
        """Return the stated width, found by scaling a few lines in FFmpeg, because PyAV does not expose it."""
        key = (frame.width, frame.height, frame.format.name)
        if self._graph is None or self._key != key:
            self._key = key
            self._graph = _graph(
                frame,
                ("crop", f"iw:{min(_SHAPE_LINES, frame.height)}:0:0"),
                ("scale", r"round(iw*clip(if(sar\,sar\,1)\,0.1\,10)):ih:eval=frame"),
            )
        self._graph.vpush(frame)
        return self._graph.vpull().width


@dataclass(frozen=True)
class Orientation:
    """Operations that turn stored pixels upright, in this order.

    Attributes:
        is_transposed: whether rows and columns change places.
        flips_columns: whether left and right change places.
        flips_rows: whether top and bottom change places.
    """

    is_transposed: bool = False
    flips_columns: bool = False
    flips_rows: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation | None:
        """Return the orientation that a frame states; None if it states none, so that the last one holds.

        Source: ISO/IEC 14496-12, 6.2.2. The display matrix (a, b, u, c, d, v, x, y, w) takes the stored pixel (p, q),
        with q growing downwards, to (a p + c q + x, b p + d q + y).
        """
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return None
        a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))  # type: ignore[call-overload]  # a buffer
        is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
        return cls(True, c < 0, b < 0) if is_transposed else cls(False, a < 0, d < 0)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (H, W, C) pixels upright."""
        if self.is_transposed:
            pixels = pixels.transpose(1, 0, 2)
        if self.flips_columns:
            pixels = pixels[:, ::-1]
        return pixels[::-1] if self.flips_rows else pixels


AS_STORED = Orientation()


class Orientations:
    """Orientation of each frame of a stream; an orientation is valid until the stream states another.

    An H.264 stream states it with key frames only.
    """

    def __init__(self) -> None:
        self._rotation: int | None = None
        self._last = AS_STORED

    def of(self, frame: VideoFrame) -> Orientation:
        """Return the orientation of the next frame."""
        # PyAV's side data and its frame refer to one another, so a frame whose side data was read keeps its memory
        # until Python looks for cycles. The rotation, which is part of the orientation, can be read freely.
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._last = Orientation.of(frame) or self._last
        return self._last


def shown_size(frame: VideoFrame, width: int) -> tuple[int, int]:
    """Return (height, width) in pixels as a player shows the frame; `width` is that of `SquarePixels`."""
    height = frame.height
    return (width, height) if (Orientation.of(frame) or AS_STORED).is_transposed else (height, width)


def shown_image(frame: VideoFrame, width: int, orientation: Orientation) -> NDArray[np.uint8]:
    """Return a frame as a player shows it.

    Args:
        frame: decoded frame.
        width: width of the stored frame, in square pixels.
        orientation: orientation of the frame.

    Returns:
        (H, W, 3) uint8 RGB, contiguous.
    """
    size: dict[str, Any] = {}
    if width != frame.width:
        size = {"width": width, "height": frame.height, "interpolation": "BICUBIC"}
    transfer = hdr_transfer(frame)
    pixels: NDArray[np.uint8]
    if transfer is not None:
        pixels = sdr_from_hdr(_converted(frame, "rgb48le", size), transfer)
    elif _has_alpha(frame):
        pixels = _over_white(_converted(frame, "rgba", size))
    else:
        pixels = _converted(frame, "rgb24", size)
    return np.ascontiguousarray(orientation.apply(pixels), dtype=np.uint8)


class Deinterlacer:
    """Turns each interlaced frame into one progressive frame; progressive frames pass unchanged."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[int, int, str] | None = None

    def process(self, frames: Iterable[tuple[Number, VideoFrame]]) -> Iterator[tuple[Number, VideoFrame]]:
        """Yield every frame with its number, in order.

        A deinterlaced frame comes one frame late, because its neighbours are needed.

        Args:
            frames: (number, frame) in display order.
        """
        waiting: deque[Number] = deque()
        for number, frame in frames:
            key = (frame.width, frame.height, frame.format.name)
            if self._graph is not None and key != self._key:
                yield from self._flushed(waiting)
            is_interlaced = frame.interlaced_frame and min(frame.width, frame.height) >= _MIN_INTERLACED
            if self._graph is None and not is_interlaced:
                yield number, frame
                continue
            if self._graph is None:
                self._graph, self._key = _bwdif(frame), key
            waiting.append(number)
            self._graph.vpush(frame)
            yield from self._pulled(waiting)
        yield from self._flushed(waiting)

    def _flushed(self, waiting: deque[Number]) -> Iterator[tuple[Number, VideoFrame]]:
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pulled(waiting)
            self._graph = None
            waiting.clear()

    def _pulled(self, waiting: deque[Number]) -> Iterator[tuple[Number, VideoFrame]]:
        assert self._graph is not None
        while waiting:
            try:
                frame = self._graph.vpull()
            except (BlockingIOError, EOFError):  # it needs the next frame, or there are no more
                return
            yield waiting.popleft(), frame


def _bwdif(frame: VideoFrame) -> Graph:
    """Return FFmpeg's deinterlacer: one frame out for each frame in, and only flagged frames are changed."""
    return _graph(frame, ("bwdif", "mode=send_frame:deint=interlaced"))


def _graph(frame: VideoFrame, *filters: tuple[str, str]) -> Graph:
    """Return FFmpeg's filters, with their arguments, for frames of the same size and format."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    graph.link_nodes(source, *(graph.add(*one) for one in filters), graph.add("buffersink"))
    graph.configure()
    return graph


def _converted(frame: VideoFrame, pixel_format: str, size: dict[str, Any]) -> NDArray[Any]:
    # more threads are slower for a conversion
    return np.asarray(frame.to_ndarray(format=pixel_format, threads=1, **size))


def _has_alpha(frame: VideoFrame) -> bool:
    # a palette has alpha values, but FFmpeg counts one component
    return frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)


def _over_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blend (H, W, 4) RGBA over white."""
    colours, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:].astype(np.uint16)
    return ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
