"""A small H.264 encoder that writes each frame as two field pictures, as camcorders (AVCHD) and DVB do; x264 cannot.

All macroblocks are I_PCM, so the decoded luma and chroma are those that were given.

Source: ITU-T H.264, 7.3.2.1 (SPS), 7.3.2.2 (PPS), 7.3.3 (slice header), 7.3.5 (macroblock), 7.4.1.1 (escapes).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""Y (H, W), Cb (H / 2, W / 2) and Cr, with H a multiple of 32 and W of 16."""

_MAIN = 77
_I_PCM = 25
_SLICE_I = 7  # all slices of the picture are I


class _Bits:
    """A string of bits that is written from the left."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def u(self, width: int, value: int) -> None:
        """Append a number of `width` bits."""
        self._bits.append(f"{value:0{width}b}")

    def ue(self, value: int) -> None:
        """Append an Exp-Golomb code of an unsigned number."""
        code = f"{value + 1:b}"
        self._bits.append("0" * (len(code) - 1) + code)

    def se(self, value: int) -> None:
        """Append an Exp-Golomb code of a signed number."""
        self.ue(2 * value - 1 if value > 0 else -2 * value)

    def align(self) -> None:
        """Append zero bits up to the next whole byte."""
        length = sum(map(len, self._bits))
        self._bits.append("0" * (-length % 8))

    def take(self) -> bytes:
        """Return the bytes, which must be whole, and start again."""
        text = "".join(self._bits)
        assert len(text) % 8 == 0, len(text)
        self._bits = []
        return int(text, 2).to_bytes(len(text) // 8, "big") if text else b""


def encode_fields(frames: Iterable[Planes], *, top_first: bool = True) -> bytes:
    """Return an Annex B stream with two field pictures per frame."""
    content = b""
    for number, planes in enumerate(frames):
        height, width = planes[0].shape
        assert height % 32 == 0, height
        assert width % 16 == 0, width
        content += _nal(7, _sequence(height, width)) + _nal(8, _picture_parameters())
        for is_second in (False, True):
            is_bottom = is_second == top_first
            field = (planes[0][is_bottom::2], planes[1][is_bottom::2], planes[2][is_bottom::2])
            # The second field of an IDR picture must not be IDR, and is a reference picture of the same frame.
            content += _nal(1 if is_second else 5, _slice(field, number, is_second=is_second, is_bottom=is_bottom))
    return content


def _nal(kind: int, payload: bytes) -> bytes:
    escaped = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([3 << 5 | kind]) + bytes(escaped)


def _end(bits: _Bits) -> None:
    """Append the stop bit and align."""
    bits.u(1, 1)
    bits.align()


def _sequence(height: int, width: int) -> bytes:
    bits = _Bits()
    for value in (_MAIN, 0, 30):  # profile, constraints, level 3
        bits.u(8, value)
    bits.ue(0)  # id
    bits.ue(0)  # frame numbers have 4 bits
    bits.ue(0)  # slices say their picture order count,
    bits.ue(0)  # in 4 bits
    bits.ue(1)  # reference frames
    bits.u(1, 0)  # no gaps in frame numbers
    bits.ue(width // 16 - 1)
    bits.ue(height // 32 - 1)
    bits.u(1, 0)  # frame_mbs_only_flag: fields are allowed
    bits.u(1, 0)  # no macroblock-adaptive fields
    bits.u(1, 1)  # direct_8x8_inference_flag
    bits.u(1, 0)  # no cropping
    bits.u(1, 1)  # VUI
    for _ in range(4):
        bits.u(1, 0)  # aspect ratio, overscan, video signal, chroma location
    bits.u(1, 1)  # timing: 50 fields per second
    bits.u(32, 1)
    bits.u(32, 50)
    bits.u(1, 1)  # fixed rate
    for _ in range(4):
        bits.u(1, 0)  # no HRD (twice), picture structure, restrictions
    _end(bits)
    return bits.take()


def _picture_parameters() -> bytes:
    bits = _Bits()
    bits.ue(0)
    bits.ue(0)
    bits.u(1, 0)  # CAVLC
    bits.u(1, 0)
    bits.ue(0)  # one slice group
    bits.ue(0)
    bits.ue(0)
    bits.u(1, 0)  # no weighted prediction
    bits.u(2, 0)
    for _ in range(3):
        bits.se(0)  # QP offsets
    bits.u(1, 1)  # slices control the deblocking filter
    bits.u(1, 0)
    bits.u(1, 0)
    _end(bits)
    return bits.take()


def _slice(field: Planes, number: int, *, is_second: bool, is_bottom: bool) -> bytes:
    bits = _Bits()
    bits.ue(0)  # first macroblock
    bits.ue(_SLICE_I)
    bits.ue(0)
    bits.u(4, 0)  # frame_num: 0 in an IDR picture and its second field
    bits.u(1, 1)  # field_pic_flag
    bits.u(1, int(is_bottom))
    if not is_second:
        bits.ue(number % 2)  # idr_pic_id differs between neighbours
    bits.u(4, int(is_second))  # picture order count, from 0 in each frame
    if not is_second:
        bits.u(2, 0)  # reference marking of an IDR picture
    else:
        bits.u(1, 0)  # sliding window
    bits.se(0)  # QP
    bits.ue(1)  # no deblocking
    luma, *chroma = field
    content = bytearray()
    for y in range(0, luma.shape[0], 16):
        for x in range(0, luma.shape[1], 16):
            bits.ue(_I_PCM)
            bits.align()
            content += bits.take() + luma[y : y + 16, x : x + 16].tobytes()
            for plane in chroma:
                content += plane[y // 2 : y // 2 + 8, x // 2 : x // 2 + 8].tobytes()
    _end(bits)
    return bytes(content) + bits.take()
