"""Frames that a video shows, and their times: measured from its packets, or by decoding if packets are not enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from realface.media.containers import (
    VideoPacket,
    codec_name,
    format_names,
    no_frames,
    nominal_fps,
    opened,
    packets_of,
    shown_stream,
)
from realface.media.decoding import VideoDecoder
from realface.media.frames import has_constant_rate
from realface.media.h264_headers import SequenceHeaders

# One packet is one frame, or is hidden and marked as such. MPEG-1, -2 and -4 can pack, repeat or drop frames.
_WHOLE_FRAMES = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "mjpeg", "prores", "dnxhd", "ffv1", "dvvideo", "png", "qtrle", "rawvideo"}
)
# Containers that store whole frames with their presentation times.
_TIMED_CONTAINERS = frozenset({"mov", "matroska", "flv"})
# Containers without presentation times: FFmpeg derives some from the decoding order, which B-frames make wrong.
_UNTIMED_CONTAINERS = frozenset({"avi", "h264", "hevc", "m4v", "mpegvideo", "vc1", "obu"})
# MPEG streams carry the clock of a broadcast, which may jump; other gaps are meant.
_JUMPING_CLOCKS = frozenset({"mpegts", "mpeg"})
_MAX_GAP_S = 10.0  # as FFmpeg's dts_delta_threshold
_FPS_TOLERANCE = 0.01  # largest disagreement between a stated rate and the time stamps, as a share of frames
_REORDERING = frozenset({"h264", "hevc"})  # codecs of _WHOLE_FRAMES that have B-frames
_MAX_REORDERING = 16  # frames; the largest buffer of decoded frames in H.264 and H.265


@dataclass(frozen=True, eq=False)
class Timeline:
    """The frames of a video in display order.

    Attributes:
        stream: index of the stream that is shown.
        times: (N,) when each frame is shown, in seconds after the first, rising; N >= 1.
        duration_s: seconds from the first frame to the end of the last.
        fps: frames per second; the mean if the rate varies.
        numbers: the number of each frame by its presentation time stamp; empty if not every frame has its own.
    """

    stream: int
    times: NDArray[np.float64]
    duration_s: float
    fps: float
    numbers: Mapping[int, int]

    @property
    def num_frames(self) -> int:
        """Return the number of frames."""
        return len(self.times)


def measure(path: Path, *, threads: int = 0) -> Timeline:
    """Find the frames that a player shows, without relying on the file's header.

    Reading the packets is some 50 times as fast as decoding. It is enough if every packet is known to be one frame;
    otherwise (fields, MPEG-4 in AVI, missing time stamps, ...) the stream is decoded once to count the frames.

    Args:
        path: file of the video.
        threads: number of decoding threads; 0 uses all cores.

    Raises:
        MissingInputError: the file does not exist.
        MediaError: the reasons of `containers.opened`, or "no frames" if the file contains no frame.
    """
    with opened(path) as (container, streams):
        tables = {
            stream.index: _PacketTable(SequenceHeaders(stream.codec_context.extradata or b"")) for stream in streams
        }
        for packet in packets_of(container, *streams):
            tables[packet.stream.index].add(packet)
        stream = shown_stream(streams, {index: table.num_packets for index, table in tables.items()})
        table = tables[stream.index]
        if table.num_packets == 0:
            raise no_frames(path)
        if _packets_are_frames(container, stream, table):
            return _timeline(container, stream, sorted(table.stamps), table.durations)
        index = stream.index  # read while the file is open
    return _count_by_decoding(path, index, table.slots, threads=threads)


@dataclass
class _PacketTable:
    """Contents of the packets of one stream.

    Attributes:
        headers: sequence headers, for H.264.
        num_packets: number of packets with content, including hidden packets.
        stamps: presentation time stamps of packets that are shown, in decoding order.
        durations: duration of each time stamp, in units of the stream's time base.
        slots: decoding time stamps of packets with content; in an AVI file each is the position of one frame.
        has_gaps: whether a shown packet has no time stamp.
        first: time stamp of the first packet; None if it is missing or a decoder cannot start there.
    """

    headers: SequenceHeaders
    num_packets: int = 0
    stamps: list[int] = field(default_factory=list)
    durations: dict[int, int] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)
    has_gaps: bool = False
    first: int | None = None

    def add(self, packet: VideoPacket) -> None:
        if packet.size == 0:
            return
        codec = codec_name(packet.stream)
        self.num_packets += 1
        if packet.dts is not None:
            self.slots.append(packet.dts)
        if self.num_packets == 1:
            can_start = packet.is_keyframe and (codec != "h264" or self.headers.can_start(memoryview(packet)))
            self.first = packet.pts if can_start else None
        if codec == "h264" and packet.is_keyframe:
            self.headers.add(memoryview(packet))
        if packet.is_discard or _is_hidden(packet, codec):
            return
        if packet.pts is None:
            self.has_gaps = True
        else:
            self.stamps.append(packet.pts)
            self.durations[packet.pts] = packet.duration or 0

    @property
    def are_distinct(self) -> bool:
        return not self.has_gaps and len(self.durations) == len(self.stamps) > 0

    @property
    def is_in_display_order(self) -> bool:
        return all(earlier < later for earlier, later in pairwise(self.stamps))

    @property
    def has_leading_frames(self) -> bool:
        """Frames shown before the first key frame refer to frames that are missing, so a decoder drops them."""
        return self.first is None or (bool(self.stamps) and min(self.stamps) < self.first)


def _is_hidden(packet: VideoPacket, codec: str) -> bool:
    """Return whether a VP8 or VP9 packet is an alternate reference frame, which is decoded but never shown.

    Source: RFC 6386, section 9.1; VP9 bitstream specification, section 6.2 (uncompressed header) and annex B.
    """
    if codec not in {"vp8", "vp9"}:
        return False
    content = memoryview(packet)
    first, last = content[0], content[-1]
    if codec == "vp8":
        return not first & 0x10
    is_superframe = last & 0xE0 == 0xC0  # several frames in one packet; only the last is shown
    profile_3, shows_existing, shown = first & 0x30 == 0x30, first & 0x08, first & 0x02
    return not (is_superframe or profile_3 or shows_existing or shown)


def _packets_are_frames(container: InputContainer, stream: VideoStream, table: _PacketTable) -> bool:
    """Return whether the packets are known to be the frames that the decoder will give."""
    formats = format_names(container)
    codec = codec_name(stream)
    if codec not in _WHOLE_FRAMES or not table.are_distinct or table.has_leading_frames:
        return False
    if codec == "h264" and table.headers.allow_fields:
        return False  # each field may be a separate packet
    if codec in _REORDERING and stream.codec_context.has_b_frames and table.is_in_display_order:
        return False  # decoding times that were stored as presentation times, unless there are no B-frames
    if formats & _TIMED_CONTAINERS:
        return True
    return "mpegts" in formats and has_constant_rate(sorted(table.stamps), within=0.5)


def _count_by_decoding(path: Path, index: int, slots: Sequence[int], *, threads: int) -> Timeline:
    """Decode the whole stream, as cheaply as possible, and record the decoded frames.

    Args:
        path: file of the video.
        index: index of the stream.
        slots: decoding time stamps of its packets.
        threads: number of decoding threads; 0 uses all cores.
    """
    with opened(path) as (container, streams):
        stream = next(stream for stream in streams if stream.index == index)
        decoder = VideoDecoder(container, stream, threads=threads, counts_only=True)
        stamps: list[int | None] = []
        durations: dict[int, int] = {}
        lengths: list[int] = []
        for frame in decoder.frames():
            stamps.append(frame.pts)
            lengths.append(frame.duration or 0)
            if frame.pts is not None:
                durations[frame.pts] = frame.duration or 0
        if decoder.num_failed and threads != 1:  # several threads report a failure with a later packet's time
            return _count_by_decoding(path, index, slots, threads=1)
        if not stamps:
            raise no_frames(path)
        if format_names(container) & _UNTIMED_CONTAINERS:
            return _untimed(container, stream, _slots_of_frames(stamps, slots), [0] * len(stamps))
        known = [stamp for stamp in stamps if stamp is not None]
        if len(set(known)) == len(stamps) and known == sorted(known):
            # what failed to decode is a frame too: it keeps its place where its time is known
            lost = {stamp for stamp in decoder.failed_stamps if min(known) < stamp < max(known)} - set(known)
            return _timeline(container, stream, sorted({*known, *lost}), durations)
        if len(set(known)) == len(stamps) and _are_nearly_sorted(known):
            return _untimed(container, stream, sorted(known), [0] * len(stamps))  # decoding times
        return _untimed(container, stream, stamps, lengths)


def _are_nearly_sorted(stamps: Sequence[int]) -> bool:
    """Return whether B-frames explain the order of the time stamps, rather than a clock that was set back."""
    places = np.argsort(np.asarray(stamps), kind="stable")
    return bool(np.abs(places - np.arange(len(stamps))).max() <= _MAX_REORDERING)


def _slots_of_frames(stamps: Sequence[int | None], slots: Sequence[int]) -> Sequence[int | None]:
    """Return the time stamps of frames in a container without presentation times; all None if they are unknown.

    Each packet has a position in time that does not depend on the order of decoding. If some packets are no frames, the
    time stamps of the frames are right unless B-frames disturb their order.
    """
    if len(set(slots)) == len(slots) == len(stamps):
        places = sorted(slots)
        if len(places) > 2:  # FFmpeg writes an empty place after the first frame of an AVI with sound
            places[0] = max(places[0], 2 * places[1] - places[2])
        return places
    known = [stamp for stamp in stamps if stamp is not None]
    is_rising = len(known) == len(stamps) and all(earlier < later for earlier, later in pairwise(known))
    return stamps if is_rising else [None] * len(stamps)


def _timeline(
    container: InputContainer, stream: VideoStream, stamps: Sequence[int], durations: Mapping[int, int]
) -> Timeline:
    """Return the timeline of frames with distinct time stamps, in rising order."""
    unit = _unit(stream)
    lengths = [durations.get(stamp, 0) * unit for stamp in stamps]
    times = _rising(container, stream, [stamp * unit for stamp in stamps], lengths)
    numbers = {stamp: number for number, stamp in enumerate(stamps)}
    return _timeline_of(stream, times, lengths[-1], numbers)


def _untimed(
    container: InputContainer, stream: VideoStream, stamps: Sequence[int | None], lengths: Sequence[int]
) -> Timeline:
    """Return the timeline of frames with missing, repeated or falling time stamps, in the order of decoding."""
    unit = _unit(stream)
    seconds = [None if stamp is None else stamp * unit for stamp in stamps]
    times = _rising(container, stream, seconds, [length * unit for length in lengths])
    return _timeline_of(stream, times, lengths[-1] * unit, {})


def _timeline_of(
    stream: VideoStream, times: NDArray[np.float64], length: float, numbers: Mapping[int, int]
) -> Timeline:
    """Return the timeline of frames whose times are known; `length` is the last one's, in seconds."""
    duration_s = _end(stream, times, length)
    fps = nominal_fps(stream)  # exact, but FFmpeg derives it from the first frames if the file does not state it
    if abs(len(times) - fps * duration_s) > max(1.5, _FPS_TOLERANCE * len(times)):
        fps = len(times) / duration_s
    return Timeline(stream.index, times, duration_s, fps, numbers)


def _end(stream: VideoStream, times: NDArray[np.float64], length: float) -> float:
    """Return the time at which the last frame ends; a field states half of its frame's length."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / nominal_fps(stream)
    return float(times[-1]) + (length if length > 0.75 * step else step)


def _unit(stream: VideoStream) -> float:
    return float(stream.time_base or 1 / nominal_fps(stream))


def _rising(
    container: InputContainer, stream: VideoStream, seconds: Sequence[float | None], lengths: Sequence[float]
) -> NDArray[np.float64]:
    """Return times that start at 0 and rise; missing, falling and jumping times follow from the previous frame.

    Frames with equal time stamps share the time up to the next time stamp.
    """
    seconds = _spread_repeats(seconds)
    step = 1 / nominal_fps(stream)
    jumps = bool(format_names(container) & _JUMPING_CLOCKS)
    times = [0.0]
    last = seconds[0]  # of the frame before, by the file's own clock
    for now, length in zip(seconds[1:], lengths[:-1], strict=True):
        gap = None if now is None or last is None else now - last
        if gap is None or gap <= 0 or (jumps and gap > _MAX_GAP_S):
            gap = length if length > 0 else step
        times.append(times[-1] + gap)
        last = now if now is not None else (None if last is None else last + gap)
    return np.asarray(times, dtype=np.float64)


def _spread_repeats(seconds: Sequence[float | None]) -> list[float | None]:
    """Return the time stamps, with repeated values spread evenly up to the next larger value."""
    spread = list(seconds)
    start = 0
    for end in range(1, len(seconds)):
        before, now = seconds[start], seconds[end]
        if now == before:
            continue
        if before is not None and now is not None and now > before:
            for at in range(start + 1, end):
                spread[at] = before + (now - before) * (at - start) / (end - start)
        start = end
    return spread
