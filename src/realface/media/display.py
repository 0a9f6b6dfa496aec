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


def hdr_transfer(frame: VideoFrame) -> HdrTransfer | None:
    """Return the transfer function of an HDR frame; None for SDR."""
    return TRANSFERS.get(int(frame.color_trc))


@dataclass(frozen=True)
class Orientation:
    """What makes stored pixels upright, in this order.

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


def shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Return (height, width) in pixels as a player shows the frame."""
    height, width = frame.height, _square_width(frame, stream)
    return (width, height) if (Orientation.of(frame) or AS_STORED).is_transposed else (height, width)


def shown_image(frame: VideoFrame, stream: VideoStream, orientation: Orientation) -> NDArray[np.uint8]:
    """Return a frame as a player shows it.

    Args:
        frame: as decoded.
        stream: its stream, which knows the shape of a pixel.
        orientation: of the frame.

    Returns:
        (H, W, 3) uint8 RGB, contiguous.
    """
    width = _square_width(frame, stream)
    size: dict[str, Any] = {}
    if width != frame.width:
        size = {"width": width, "height": frame.height, "interpolation": "BICUBIC"}
    transfer = hdr_transfer(frame)
    pixels: NDArray[np.uint8]
    if transfer is not None:
        pixels = sdr_from_hdr(_converted(frame, "rgb48le", size), transfer)
    elif any(component.is_alpha for component in frame.format.components):
        pixels = _over_white(_converted(frame, "rgba", size))
    else:
        pixels = _converted(frame, "rgb24", size)
    return np.ascontiguousarray(orientation.apply(pixels), dtype=np.uint8)


class Deinterlacer:
    """Turns interlaced frames into progressive ones, one for one; progressive frames pass unchanged."""

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
            if self._graph is None and not frame.interlaced_frame:
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
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    graph.link_nodes(source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _converted(frame: VideoFrame, pixel_format: str, size: dict[str, Any]) -> NDArray[Any]:
    # more threads are slower for a conversion
    return np.asarray(frame.to_ndarray(format=pixel_format, threads=1, **size))


def _over_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay (H, W, 4) RGBA over white."""
    colours, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:].astype(np.uint16)
    return ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _square_width(frame: VideoFrame, stream: VideoStream) -> int:
    """Return the stored frame's width in square pixels."""
    shape = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, _LONGEST_PIXEL) <= shape <= _LONGEST_PIXEL:
        return frame.width
    width = max(1, round(frame.width * shape))
    return width if width * frame.height <= MAX_PIXELS else frame.width
