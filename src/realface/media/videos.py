"""Reading frames of a video as a player shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from realface.media.containers import codec_name, format_names, no_frames, opened, require_pixels
from realface.media.decoding import VideoDecoder
from realface.media.display import (
    Deinterlacer,
    Orientations,
    SquarePixels,
    hdr_transfer,
    shown_image,
    shown_size,
)
from realface.media.frames import Frame, MediaKind, Spans, VideoInfo, require_frames_inside, spread_over_time
from realface.media.timeline import Timeline, measure

# fmt: off
VIDEO_SUFFIXES = frozenset(
    {
        ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".mkv", ".webm", ".avi", ".divx", ".mpg",
        ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".mod", ".tod", ".ts", ".m2ts", ".mts", ".mxf", ".flv",
        ".wmv", ".asf", ".ogv", ".ogm", ".dv", ".ivf", ".y4m", ".264", ".h264", ".265", ".h265", ".hevc",
    }
)
# fmt: on
"""Suffixes that `find_media` searches for; a video given by its path may have any suffix."""

_WITHOUT_PIXEL_SHAPE = frozenset({"mpegts", "mpeg", "mpegvideo", "m4v", "h264", "hevc"})
"""Containers that leave the shape of pixels to the frames."""


def is_video_name(path: Path) -> bool:
    """Return whether the suffix is one of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


class VideoReader:
    """A video, measured once; use `VideoReader.open`.

    Frames look the same as in a player: from the stream that a player chooses, in display order with rising times,
    upright, in square pixels, deinterlaced, with transparency over white, and HDR converted to SDR.

    Args:
        path: file of the video.
        timeline: frames and their times.
        threads: number of decoding threads; 0 uses all cores.
    """

    kind: MediaKind = "video"

    def __init__(self, path: Path, timeline: Timeline, *, threads: int = 0) -> None:
        self.path = path
        self._timeline = timeline
        self._threads = threads
        self.num_damaged = 0

    @classmethod
    def open(cls, path: Path, *, threads: int = 0) -> VideoReader:
        """Measure a video.

        Args:
            path: the file.
            threads: number of decoding threads; 0 uses all cores. The pixels do not depend on it, except for
                damaged streams and interlaced MPEG-4 Part 2.

        Raises:
            MissingInputError: no such file.
            MediaError: "not a file", "empty file", "unreadable", "not a video", "truncated", "no video stream",
                "unsupported", "too large" or "no frames".
        """
        return cls(path, measure(path, threads=threads), threads=threads)

    def info(self) -> VideoInfo:
        """Return the video's size, length and codec; decodes its first frame.

        Raises:
            MediaError: "no frames", if no frame can be decoded.
        """
        return self._info

    @cached_property
    def _info(self) -> VideoInfo:
        with opened(self.path) as (container, streams):
            stream = next(stream for stream in streams if stream.index == self._timeline.stream)
            frame = next(VideoDecoder(container, stream, threads=1).frames(), None)
            if frame is None:
                raise no_frames(self.path)
            width = _square_pixels(container, stream).width(frame)
            height, width = shown_size(frame, width)
            return VideoInfo(
                path=self.path,
                width=width,
                height=height,
                fps=self._timeline.fps,
                num_frames=self._timeline.num_frames,
                duration_s=self._timeline.duration_s,
                codec=codec_name(stream),
                hdr=hdr_transfer(frame),
            )

    def spread(self, count: int, *, spans: Spans = (), num_frames: int | None = None) -> list[int]:
        """Return the numbers of `count` frames, evenly spread over time.

        Args:
            count: number of frames, at least 1; all frames if the video has fewer.
            spans: parts of the video that are used; all of it when empty.
            num_frames: use only this many frames from the start; all by default.

        Raises:
            MediaError: "no frames in the part", if the video ends before all of `spans`.
        """
        times = self._timeline.times[:num_frames].tolist()
        indices = spread_over_time(times, count, spans=spans)
        return require_frames_inside(self.path, indices, spans, self._timeline.num_frames)

    def frames(self, count: int, *, spans: Spans = ()) -> Iterator[Frame]:
        """Yield the frames of `spread(count, spans=spans)`; see `frames_at`."""
        yield from self.frames_at(self.spread(count, spans=spans))

    def frames_at(self, indices: Collection[int]) -> Iterator[Frame]:
        """Yield the frames with these numbers in display order, decoded in one pass, one frame at a time.

        Afterwards `num_damaged` is the number of frames that the decoder failed to decode.

        Args:
            indices: numbers of frames, at least one; numbers that the video does not have are ignored.

        Raises:
            MissingInputError: the file does not exist.
            MediaError: the reasons of `open`, and "no frames" if the video does not have these frames.
        """
        wanted = {index for index in indices if 0 <= index < self._timeline.num_frames}
        self.num_damaged = 0
        num_shown = 0
        with opened(self.path) as (container, streams):
            stream = next(stream for stream in streams if stream.index == self._timeline.stream)
            decoder = VideoDecoder(container, stream, threads=self._threads)
            pixels = _square_pixels(container, stream)
            shown = _until(numbered(decoder.frames(), self._timeline.numbers), max(wanted, default=-1))
            orientations = Orientations()
            for index, frame in Deinterlacer().process(shown):
                orientation = orientations.of(frame)
                if index in wanted:
                    num_shown += 1
                    require_pixels(self.path, frame.width, frame.height)
                    time_s = float(self._timeline.times[index])
                    image = shown_image(frame, pixels.width(frame), orientation)
                    yield Frame(index, time_s, image, hdr=hdr_transfer(frame))
            if decoder.num_failed:
                self.num_damaged = len(wanted) - num_shown
        if num_shown == 0:
            raise no_frames(self.path)


def _square_pixels(container: InputContainer, stream: VideoStream) -> SquarePixels:
    return SquarePixels(stream, vary=bool(format_names(container) & _WITHOUT_PIXEL_SHAPE))


def numbered(frames: Iterable[VideoFrame], numbers: Mapping[int, int]) -> Iterator[tuple[int, VideoFrame]]:
    """Yield each frame with the number of its time stamp, or with its position if frames are without time stamps.

    A frame with an unknown time stamp, or an earlier time stamp than the previous frame, is not shown.
    """
    if not numbers:
        yield from enumerate(frames)
        return
    last = -1
    for frame in frames:
        number = last if frame.pts is None else numbers.get(frame.pts, last)
        if number > last:
            last = number
            yield number, frame


def _until(numbered: Iterable[tuple[int, VideoFrame]], last: int) -> Iterator[tuple[int, VideoFrame]]:
    """Yield the frames up to the last requested frame and one more, which deinterlacing needs."""
    for number, frame in numbered:
        yield number, frame
        if number > last or (number == last and not frame.interlaced_frame):
            return
