"""Files whose packets are no frames, or not one frame each: made by copying the packets of other files differently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet

_VOP = b"\0\0\1\xb6"
_FRAME_KINDS = {0: "I", 1: "P", 2: "B"}


def cut_before_keyframe(source: Path, path: Path, *, keyframe: int) -> None:
    """Copy the video from one of its key frames on, as a cut or a recording of a broadcast does."""
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        seen = -1
        for packet in read.demux(video=0):
            seen += packet.is_keyframe and packet.size > 0
            if seen >= keyframe and packet.dts is not None:
                packet.stream = stream
                written.mux_one(packet)


def repacked_avi(source: Path, path: Path, repack: Callable[[list[bytes]], list[bytes]]) -> None:
    """Copy an AVI with MPEG-4 and pass the bytes of its packets through a function from list to list."""
    with av.open(str(source)) as read, av.open(str(path), "w", format="avi") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        contents = [bytes(packet) for packet in read.demux(video=0) if packet.size]
        for number, content in enumerate(repack(contents)):
            packet = Packet(content)
            packet.stream = stream
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, 25)
            packet.is_keyframe = _kind(content) == "I"
            written.mux_one(packet)


def packed(contents: list[bytes]) -> list[bytes]:
    """Put each B-frame into the packet before it, as DivX 5 does, and add a placeholder for each group."""
    contents = [contents[0].replace(_VOP, b"\0\0\1\xb2DivX503b1393p" + _VOP, 1), *contents[1:]]
    return [content for group in _groups(contents) for content in _packed_group(group)]


def without_repeats(contents: list[bytes], *, repeated: Iterable[int]) -> list[bytes]:
    """Replace packets by "not coded" ones: the player shows the frame before for longer."""
    return [NOT_CODED if number in repeated else content for number, content in enumerate(contents)]


def _packed_group(group: list[bytes]) -> list[bytes]:
    return group if len(group) == 1 else [group[0] + group[1], *group[2:], NOT_CODED]


def _groups(contents: list[bytes]) -> Iterator[list[bytes]]:
    """Yield each I- or P-frame with the B-frames that follow it in decoding order."""
    group: list[bytes] = []
    for content in contents:
        if _kind(content) != "B" and group:
            yield group
            group = []
        group.append(content)
    yield group


def _kind(content: bytes) -> str:
    return _FRAME_KINDS[content[content.index(_VOP) + 4] >> 6]


NOT_CODED = _VOP + int("0101000001001111", 2).to_bytes(2, "big")
"""A P-VOP that is not coded, at 25 ticks per second.

ISO/IEC 14496-2, 6.2.5: kind P, no whole second, marker, 5 bits of time, marker, vop_coded = 0, stuffing.
"""
