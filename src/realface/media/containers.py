"""Opening a video file and choosing the stream that a player shows."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from realface.core.errors import MediaError
from realface.media.input_files import has_too_many_files, require_file, unreadable
from realface.media.mp4_boxes import is_cut_off

VideoPacket: TypeAlias = "Packet[VideoStream]"  # generic in its type stub only

MAX_PIXELS = 8192 * 8192  # of one frame; FFmpeg allows 16 times as many
# Playlists are excluded, because they make FFmpeg open other files and addresses; images and text ("tty") too.
_FORMATS = (
    "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,mxf,h264,hevc,m4v,vc1,ivf,obu,av1,dv,nut,rm,wtv,yuv4mpegpipe"
)
_OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
_NOT_A_VIDEO = (
    Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image | Disposition.dependent
)  # covers, previews, and depth or alpha tracks of another stream


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, list[VideoStream]]]:
    """Open a video file.

    Args:
        path: the file.

    Yields:
        The container, and its video streams without covers and previews: at least one, and each can be decoded.

    Raises:
        MissingInputError: no such file.
        MediaError: "not a file", "empty file", "unreadable", "not a video", "truncated", "no video stream",
            "unsupported" or "too large".
    """
    require_file(path, what="video")
    try:
        is_cut = is_cut_off(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if is_cut:
        raise MediaError(f"{path} is cut off: its end is missing", reason="truncated", hint="copy or download it again")
    try:
        # "file:" keeps a name with a colon from being read as an address
        container = av.open(f"file:{path}", options=_OPEN_OPTIONS, metadata_errors="ignore")
    except av.FFmpegError as error:
        # not every PermissionError: FFmpeg gives EPERM for damage, too
        if isinstance(error, OSError) and (error.errno == errno.EACCES or has_too_many_files(error)):
            raise unreadable(path, error) from error
        raise MediaError(
            f"{path} is not a video that can be read, or is damaged ({error.strerror})",
            reason="not a video",
            hint="convert it to MP4, or leave it out",
        ) from error
    with container:
        streams = [stream for stream in container.streams.video if not stream.disposition & _NOT_A_VIDEO]
        if not streams:
            raise MediaError(
                f"{path} has no video stream, only sound or data", reason="no video stream", hint="leave it out"
            )
        decodable = [stream for stream in streams if stream.codec_context is not None]  # may be None
        if not decodable:
            raise MediaError(
                f"{path} has a video stream of a kind that FFmpeg cannot decode",
                reason="unsupported",
                hint="convert it to MP4 (H.264)",
            )
        for stream in decodable:
            require_pixels(path, stream.width, stream.height)
        yield container, decodable


def require_pixels(path: Path, width: int, height: int) -> None:
    """Refuse frames that are too large to decode safely.

    Raises:
        MediaError: "too large".
    """
    if width * height > MAX_PIXELS:
        raise MediaError(
            f"{path} is too large: {width} x {height} pixels, and the limit is {MAX_PIXELS:,}",
            reason="too large",
            hint="make it smaller",
        )


def shown_stream(streams: Sequence[VideoStream], num_packets: Mapping[int, int]) -> VideoStream:
    """Return the stream that a player shows: the default one; if there are several or none, the largest.

    A stream of one packet is a cover without the flag if another stream has more.

    Source: `ffmpeg`'s automatic stream selection.

    Args:
        streams: the video streams of a file, at least one.
        num_packets: number of packets of each stream, by its index.
    """
    moving = [stream for stream in streams if num_packets.get(stream.index, 0) > 1] or list(streams)
    default = [stream for stream in moving if stream.disposition & Disposition.default] or moving
    return max(default, key=lambda stream: stream.width * stream.height)


def packets_of(container: InputContainer, *streams: VideoStream) -> Iterator[VideoPacket]:
    """Yield all packets up to the end of the file, or to damage that FFmpeg cannot read past."""
    with suppress(av.FFmpegError):
        yield from container.demux(*streams)  # type: ignore[misc]  # the stub does not know that these are video's


def nominal_fps(stream: VideoStream) -> float:
    """Return the frame rate that the file states: the mean if it varies, 25 if it is unknown."""
    return float(stream.average_rate or stream.guessed_rate or 25)


def format_names(container: InputContainer) -> set[str]:
    """Return FFmpeg's names of the container's format, such as {"matroska", "webm"}."""
    return set(container.format.name.split(","))


def codec_name(stream: VideoStream) -> str:
    """Return FFmpeg's name of the codec, such as "av1"; it does not depend on the decoder in use."""
    return stream.codec_context.codec.canonical_name


def no_frames(path: Path) -> MediaError:
    """Return the error for a video without a decodable frame."""
    return MediaError(f"{path} has no frames that can be decoded", reason="no frames", hint="copy or download it again")
