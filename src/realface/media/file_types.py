"""Recognising images and videos by their first bytes."""

from __future__ import annotations

import re
from pathlib import Path

from realface.media.frames import MediaKind

HEAD_BYTES = 4096
"""Number of bytes that are read to recognise a file."""

# ISO base media files (ISO/IEC 14496-12) name their type in the first box, `ftyp`.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2"}
_HEIC_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}
_OTHER_BRANDS = {b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ", b"crx ", b"aax "}  # audio, and Canon's raw images
_QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}  # how old MOV files begin

_JPEG_2000 = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")  # JP2 file, and the bare codestream
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")  # with 32-bit and 64-bit offsets
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_PNM = re.compile(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s+(?:#[^\n]*\n\s*)*\d+\s")

_VIDEO_STARTS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",  # ASF, WMV
    b"DKIF\x00\x00",  # IVF
    b"YUV4MPEG2 ",
    b"\x00\x00\x01\xba",  # MPEG program stream, VOB
    b"\x00\x00\x01\xb3",  # MPEG-1 and MPEG-2 video
    b"\x00\x00\x01\xb0",  # MPEG-4 Part 2 video
    b"\x1f\x07\x00\x3f",  # DV, NTSC and PAL
    b"\x1f\x07\x00\xbf",
    b".RMF",  # RealMedia
    b"nut/multimedia container",
    b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d",  # WTV, Windows Media Center
)
_ASF_VIDEO_STREAM = b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
_ASF_AUDIO_STREAM = b"\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
_OGG_VIDEO = (b"\x80theora", b"\x01video\x00", b"BBCD\x00", b"OVP80")  # each in the first page of its stream
_MXF_PARTITION = b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01"  # SMPTE 377M; a run-in may precede it
_RIFF_VIDEO = {b"AVI ", b"AVIX", b"ON2 ", b"CDXA"}
# MPEG-TS (ISO/IEC 13818-1), M2TS with a time stamp before each packet, DVB with error correction behind it.
_TS_PACKET_SIZES = (188, 192, 204)
_TS_SYNC = 0x47
_TS_FEWEST_PACKETS = 3
# Annex B streams: start code, then the NAL unit's header. H.264: AUD, SPS; H.265: VPS, SPS, AUD.
_ANNEX_B = re.compile(rb"\x00{2,3}\x01(?:\x09[\x10\x30\x50\x70\x90\xb0\xd0\xf0]|[\x27\x47\x67]|[\x40\x42\x46]\x01)")


def media_kind(path: Path) -> MediaKind | None:
    """Return whether a file is an image or a video, by its first bytes and not by its name.

    Args:
        path: the file; no more than `HEAD_BYTES` are read.

    Returns:
        "image" also for formats that can contain several frames, such as GIF: `open_media` counts them. None for
        any other file, audio included. MP4 and Matroska files with audio only count as videos.

    Raises:
        OSError: the file cannot be read.
    """
    return kind_of_head(read_head(path))


def read_head(path: Path) -> bytes:
    """Return the first `HEAD_BYTES` bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def kind_of_head(head: bytes) -> MediaKind | None:
    """Return what `media_kind` returns for a file with these first bytes."""
    if _is_image(head):
        return "image"
    return "video" if _is_video(head) else None


def is_png(head: bytes) -> bool:
    """Return whether the bytes start a PNG or an APNG."""
    return head.startswith(b"\x89PNG\r\n\x1a\n")


def is_heic(head: bytes) -> bool:
    """Return whether the bytes start a HEIC or HEIF image that is not an AVIF."""
    brands = _brands(head)
    return bool(brands) and brands[0] in _HEIC_BRANDS and not _AVIF_BRANDS.intersection(brands)


def is_text(head: bytes) -> bool:
    """Return whether the bytes contain no control characters other than white space."""
    return not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", head)


def _is_image(head: bytes) -> bool:
    if is_png(head) or is_heic(head) or head.startswith((b"\xff\xd8\xff", b"GIF87a", b"GIF89a", *_TIFF, *_JPEG_2000)):
        return True
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return True
    if head.startswith(b"BM"):
        return int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES
    brands = _brands(head)
    if brands and brands[0] in _HEIC_BRANDS | _HEIC_SEQUENCE_BRANDS | _AVIF_BRANDS:
        return bool(_AVIF_BRANDS.intersection(brands))
    return _PNM.match(head) is not None


def _is_video(head: bytes) -> bool:
    if head.startswith(b"\x30\x26\xb2\x75") and _ASF_AUDIO_STREAM in head and _ASF_VIDEO_STREAM not in head:
        return False
    if head.startswith(_VIDEO_STARTS) or (head.startswith(b"RIFF") and head[8:12] in _RIFF_VIDEO):
        return True
    if head.startswith(b"OggS"):
        return any(name in head for name in _OGG_VIDEO)
    if brands := _brands(head):
        return brands[0] not in _OTHER_BRANDS
    if is_text(head):
        return False
    return (
        _is_quicktime(head)
        or _MXF_PARTITION in head
        or _ANNEX_B.match(head) is not None
        or any(_is_transport_stream(head, size) for size in _TS_PACKET_SIZES)
    )


def _brands(head: bytes) -> list[bytes]:
    """Return the major brand and the compatible brands of an ISO base media file; empty for other files."""
    if head[4:8] != b"ftyp":
        return []
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[start : start + 4] for start in range(16, size - 3, 4))]


def _is_quicktime(head: bytes) -> bool:
    """Return whether a file without `ftyp` starts with a box of an old MOV file."""
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if kind not in _QUICKTIME_BOXES:
        return False
    return kind == b"mdat" or 8 <= size < 1 << 24 or size == 1


def _is_transport_stream(head: bytes, packet_size: int) -> bool:
    """Return whether every packet starts with the sync byte; a recording may start within a packet."""
    for offset in range(packet_size):
        syncs = head[offset::packet_size]
        if len(syncs) >= _TS_FEWEST_PACKETS and syncs.count(_TS_SYNC) == len(syncs):
            return True
    return False
