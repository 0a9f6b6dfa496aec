"""Headers of H.264 streams: detection of frames stored as two fields, and of packets at which a decoder can start."""

from __future__ import annotations

from collections.abc import Iterator

# NAL unit types
_SEQUENCE = 7  # sequence parameter set (SPS)
_IDR = 5
_PICTURES = frozenset({1, 2, 3, 4, _IDR})
_SEARCHED_BYTES = 4096  # of a packet: sequence headers come before the image data
# Profiles whose sequence headers state chroma format, bit depth and scaling lists.
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_4_4_4 = 3


class SequenceHeaders:
    """The sequence headers of one H.264 stream.

    Args:
        extradata: headers that the container stores outside the packets; empty if it stores none.

    Source: ITU-T H.264, 7.3.2.1.1 and annex B; ISO/IEC 14496-15, 5.3.3 (avcC).
    """

    def __init__(self, extradata: bytes) -> None:
        # avcC starts with its version; Annex B starts with a zero byte
        self._length_size = (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
        units = _stored(extradata) if self._length_size else _after_start_codes(extradata)
        self._headers = {unit for unit in units if _kind(unit) == _SEQUENCE}

    def add(self, packet: memoryview) -> None:
        """Add the sequence headers at the start of a packet."""
        self._headers.update(unit for unit in self._units(packet) if _kind(unit) == _SEQUENCE)

    def can_start(self, packet: memoryview) -> bool:
        """Return whether a decoder that starts with this packet shows all later frames.

        It does at an IDR frame. At other access points, such as intra refresh, it waits for some frames.
        """
        pictures = [_kind(unit) for unit in self._units(packet) if _kind(unit) in _PICTURES]
        return pictures[:1] == [_IDR]

    def _units(self, packet: memoryview) -> Iterator[bytes]:
        content = bytes(packet[:_SEARCHED_BYTES])
        return _prefixed(content, self._length_size) if self._length_size else _after_start_codes(content)

    @property
    def allow_fields(self) -> bool:
        """Return whether frames may be stored as two fields; True without a header."""
        return not self._headers or any(_allows_fields(header) for header in self._headers)


def _stored(extradata: bytes) -> Iterator[bytes]:
    """Yield the sequence headers of an avcC box."""
    position = 6
    for _ in range(extradata[5] & 0x1F):
        length = int.from_bytes(extradata[position : position + 2], "big")
        yield extradata[position + 2 : position + 2 + length]
        position += 2 + length


def _prefixed(content: bytes, length_size: int) -> Iterator[bytes]:
    """Yield NAL units that each follow their length."""
    position = 0
    while position + length_size < len(content):
        start = position + length_size
        position = start + int.from_bytes(content[position:start], "big")
        yield content[start:position]


def _after_start_codes(content: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B stream."""
    for unit in content.split(b"\0\0\1")[1:]:
        yield unit.rstrip(b"\0")  # zeros before the next start code


def _kind(unit: bytes) -> int:
    """Return the type of a NAL unit."""
    return unit[0] & 0x1F if unit else 0


def _allows_fields(header: bytes) -> bool:
    """Return the inverse of frame_mbs_only_flag; True if the header is damaged."""
    bits = _Bits(header[1:].replace(b"\0\0\3", b"\0\0"))
    try:
        _skip_to_flag(bits)
        return bits.number(1) == 0
    except (IndexError, ValueError):
        return True


def _skip_to_flag(bits: _Bits) -> None:
    """Read everything before frame_mbs_only_flag."""
    profile = bits.number(8)
    bits.number(16)  # constraints, level
    bits.exp_golomb()  # id
    if profile in _HIGH_PROFILES:
        chroma_format = bits.exp_golomb()
        if chroma_format == _4_4_4:
            bits.number(1)  # separate colour planes
        bits.exp_golomb()  # bit depth of luma
        bits.exp_golomb()  # bit depth of chroma
        bits.number(1)  # lossless
        if bits.number(1):
            for index in range(12 if chroma_format == _4_4_4 else 8):
                if bits.number(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.exp_golomb()  # bits of frame numbers
    order_type = bits.exp_golomb()
    if order_type == 0:
        bits.exp_golomb()
    elif order_type == 1:
        bits.number(1)
        bits.exp_golomb()
        bits.exp_golomb()
        for _ in range(bits.exp_golomb()):
            bits.exp_golomb()
    bits.exp_golomb()  # reference frames
    bits.number(1)  # gaps in frame numbers
    bits.exp_golomb()  # width
    bits.exp_golomb()  # height


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = 8
    for _ in range(size):
        code = bits.exp_golomb()
        delta = (code + 1) // 2 if code % 2 else -(code // 2)
        last = (last + delta) % 256
        if last == 0:  # the rest of the list repeats the value before
            return


class _Bits:
    """The bits of a header, read from the left."""

    def __init__(self, content: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in content)
        self._position = 0

    def number(self, width: int) -> int:
        """Read an unsigned number; ValueError at the end."""
        self._position += width
        if self._position > len(self._bits):
            raise ValueError("end of the header")
        return int(self._bits[self._position - width : self._position], 2)

    def exp_golomb(self) -> int:
        """Read an unsigned Exp-Golomb number; ValueError at the end."""
        zeros = self._bits.index("1", self._position) - self._position
        self._position += zeros
        return self.number(zeros + 1) - 1
