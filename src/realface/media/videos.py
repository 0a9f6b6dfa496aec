"""Probing videos, and decoding frames that are evenly spread over their whole length."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from realface.core.errors import MediaError
from realface.media.frames import Frame, MediaKind, Spans, VideoInfo, require_frames_inside, spread_indices
from realface.media.input_files import require_file
from realface.media.mp4_boxes import is_cut_off

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2ts", ".mts", ".flv", ".wmv", ".ogv"}
)
"""What `find_media` looks for; a video that is named outright may have any suffix."""

_MAX_PIXELS = 8192 * 8192  # of one frame; FFmpeg alone would go on to 16 times as many
# Playlists, which make FFmpeg open other files and addresses, pictures and text ("tty") are left out.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,mxf",
}


def is_video_name(path: Path) -> bool:
    """Whether the suffix is one of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def probe_video(path: Path, *, threads: int = 0) -> VideoInfo:
    """Size, length and rotation of a video; reads all its packets and decodes its first frame.

    Args:
        path: the file.
        threads: as for `frames_at`.

    Raises:
        MissingInputError: there is nothing of that name.
        MediaError: "not a file", "empty file", "unreadable", "not a video", "truncated", "no video stream",
            "unsupported", "too large" or "no frames".
    """
    measured = _measured(path)
    with _opened(path, threads=threads) as (container, stream):
        frame = next(_decoded(container, stream), None)
        if frame is None:
            raise _no_frames(path)
        rotation = _quarter_turns(frame) * 90
        width, height = (frame.height, frame.width) if rotation in {90, 270} else (frame.width, frame.height)
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            fps=_nominal_fps(stream),
            num_frames=measured.num_frames,
            duration_s=measured.duration_s,
            codec=stream.codec_context.name,
        )


def spread_frames(
    path: Path, count: int, *, spans: Collection[tuple[int, int]] = (), threads: int = 0
) -> Iterator[Frame]:
    """Decode `count` frames, evenly spread over the whole length or the given parts of it, in one pass forward.

    Which ones: `spread_indices` of the number of packets. Fewer come where there are fewer, or where frames are
    damaged. One frame is held at a time. Rotation tags are applied (mirroring is not), the sample aspect ratio is not.

    Args:
        path: the file.
        count: how many frames.
        spans: as for `spread_indices`.
        threads: as for `frames_at`.

    Yields:
        Frames in the order shown, at least one.

    Raises:
        MissingInputError: there is nothing of that name.
        MediaError: as `probe_video`; "no frames in the part" where it ends before all of `spans`.
    """
    measured = _measured(path)
    yield from _frames_at(path, _spread(path, measured, count, spans), measured, threads=threads)


def spread_numbers(path: Path, count: int, *, spans: Collection[tuple[int, int]] = ()) -> list[int]:
    """The numbers of the frames that `spread_frames` gives where none is damaged.

    Raises:
        MissingInputError, MediaError: as `spread_frames`.
    """
    return _spread(path, _measured(path), count, spans)


def _spread(path: Path, measured: _Measured, count: int, spans: Collection[tuple[int, int]]) -> list[int]:
    indices = spread_indices(measured.num_frames, count, spans=spans)
    if not indices:
        parts = ", ".join(f"{first} to {last}" for first, last in spans)
        raise MediaError(
            f"{path} has no frames in the part {parts}: it has {measured.num_frames}, counted from 0; mend the part, "
            "or copy or download the video again",
            reason="no frames in the part",
        )
    return indices


def frames_at(path: Path, indices: Collection[int], *, threads: int = 0) -> Iterator[Frame]:
    """Decode the frames of the given numbers, in one pass forward, as `spread_frames` does.

    Args:
        path: the file.
        indices: numbers of frames from 0, at least one; those that the video does not have are passed over.
        threads: that decode; 0 lets FFmpeg take all cores, 1 is for one process of several that share them. The pixels
            are the same.

    Raises:
        MissingInputError: there is nothing of that name.
        MediaError: as `probe_video`; "no frames" also where it has none of those that were asked for.
    """
    yield from _frames_at(path, indices, _measured(path), threads=threads)


def _frames_at(path: Path, indices: Collection[int], measured: _Measured, *, threads: int) -> Iterator[Frame]:
    last = max(indices)
    has_frame = False
    with _opened(path, threads=threads) as (container, stream):
        start_s: float | None = None
        for index, frame in _numbered(_decoded(container, stream), measured.numbers):
            time_s = index / _nominal_fps(stream) if frame.time is None else frame.time
            start_s = time_s if start_s is None else start_s
            if index in indices:
                has_frame = True
                image = np.rot90(frame.to_ndarray(format="rgb24", threads=1), _quarter_turns(frame))  # more are slower
                yield Frame(index, time_s - start_s, np.ascontiguousarray(image, dtype=np.uint8))
            if index >= last:
                break
    if not has_frame:
        raise _no_frames(path)


def _numbered(frames: Iterable[VideoFrame], numbers: Mapping[int, int]) -> Iterator[tuple[int, VideoFrame]]:
    """Each frame with its number: that of its time stamp, or, where that is not known, the next."""
    number = -1
    for frame in frames:
        by_stamp = -1 if frame.pts is None else numbers.get(frame.pts, -1)
        number = max(by_stamp, number + 1)
        yield number, frame


@contextmanager
def _opened(path: Path, *, threads: int = 1) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream, ready to decode with so many threads; 0 is as many as cores."""
    require_file(path, what="video")
    if is_cut_off(path):
        raise MediaError(f"{path} is cut off: its end is missing; copy or download it again", reason="truncated")
    try:
        # "file:" keeps a name with a colon from being read as an address
        container = av.open(f"file:{path}", options=_OPEN_OPTIONS, metadata_errors="ignore")
    except PermissionError as error:
        raise MediaError(f"{path} may not be read; change its permissions", reason="unreadable") from error
    except av.FFmpegError as error:
        raise MediaError(
            f"{path} is not a video that can be read, or is damaged ({error.strerror}); "
            "convert it to MP4, or leave it out",
            reason="not a video",
        ) from error
    with container:
        streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
        if not streams:
            raise MediaError(f"{path} has no video stream, only sound or data; leave it out", reason="no video stream")
        stream = streams[0]
        if stream.codec_context is None:  # PyAV's type does not say that it can be
            raise MediaError(
                f"{path} has a video stream of a kind that FFmpeg cannot decode; convert it to MP4 (H.264)",
                reason="unsupported",
            )
        if stream.width * stream.height > _MAX_PIXELS:
            raise MediaError(
                f"{path} is too large: {stream.width} x {stream.height} pixels, and the limit is {_MAX_PIXELS:,}; "
                "make it smaller",
                reason="too large",
            )
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield container, stream


@dataclass(frozen=True)
class _Measured:
    """What the packets of a video say.

    Attributes:
        num_frames: how many there are.
        duration_s: how long they last.
        numbers: of each frame in the order shown, by its time stamp; empty where not every frame has one of its own.
    """

    num_frames: int
    duration_s: float
    numbers: Mapping[int, int]


def _measured(path: Path) -> _Measured:
    """The number of frames, the seconds they last, and which is which, from all packets.

    That reads the file but decodes nothing, and is some 50 times faster than decoding. Headers are not believed: they
    can be wrong, estimated, or of a time before the file was cut.
    """
    num_frames = 0
    starts: list[int] = []
    ends: list[int] = []
    with _opened(path) as (container, stream):
        for packet in _packets(container, stream):
            if packet.size == 0 or packet.is_discard:
                continue
            num_frames += 1
            if packet.pts is not None:
                starts.append(packet.pts)
                ends.append(packet.pts + (packet.duration or 0))
        if num_frames == 0:
            raise _no_frames(path)
        if not starts or stream.time_base is None:
            return _Measured(num_frames, num_frames / _nominal_fps(stream), {})
        numbers = {start: number for number, start in enumerate(sorted(starts))}
        if len(numbers) < num_frames:
            numbers = {}
        return _Measured(num_frames, float((max(ends) - min(starts)) * stream.time_base), numbers)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """All packets up to the end, or to damage after which FFmpeg does not find its way."""
    with suppress(av.FFmpegError):
        yield from container.demux(stream)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """All frames that can be decoded, in the order shown; damaged packets are passed over."""
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        yield from frames


def _no_frames(path: Path) -> MediaError:
    return MediaError(f"{path} has no frames that can be decoded; copy or download it again", reason="no frames")


def _quarter_turns(frame: VideoFrame) -> int:
    """Quarter turns counter-clockwise, 0 to 3, after the frame's display matrix."""
    return round(frame.rotation / 90) % 4


def _nominal_fps(stream: VideoStream) -> float:
    return float(stream.average_rate or stream.guessed_rate or 25)


class VideoReader:
    """A video, measured once; use `VideoReader.open`."""

    kind: MediaKind = "video"
    num_damaged = 0

    def __init__(self, path: Path, measured: _Measured, *, threads: int) -> None:
        self.path = path
        self._measured = measured
        self._threads = threads

    @classmethod
    def open(cls, path: Path, *, threads: int = 0) -> VideoReader:
        """Measure the video."""
        return cls(path, _measured(path), threads=threads)

    def info(self) -> VideoInfo:
        """Return the video's size, length and codec."""
        return probe_video(self.path, threads=self._threads)

    def spread(self, count: int, *, spans: Spans = (), num_frames: int | None = None) -> list[int]:
        """Return the numbers of `count` frames, evenly spread over time."""
        most = self._measured.num_frames if num_frames is None else min(num_frames, self._measured.num_frames)
        indices = spread_indices(most, count, spans=spans)
        return require_frames_inside(self.path, indices, spans, self._measured.num_frames)

    def frames_at(self, indices: Collection[int]) -> Iterator[Frame]:
        """Yield the frames with these numbers."""
        yield from frames_at(self.path, indices, threads=self._threads)

    def frames(self, count: int, *, spans: Spans = ()) -> Iterator[Frame]:
        """Yield `count` frames, evenly spread over time."""
        yield from self.frames_at(self.spread(count, spans=spans))
