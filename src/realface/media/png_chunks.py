"""PNG files without the chunks that do not change the displayed image."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

_SIGNATURE_BYTES = 8
_SHOWN = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"acTL", b"fcTL", b"fdAT"}
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_KEYWORDS_OF_ORIENTATION = {b"XML:com.adobe.xmp", b"Raw profile type exif"}  # of text chunks that Pillow takes it from
_MAX_TEXT_BYTES = 1 << 20  # of one text chunk, also after inflating: Pillow refuses an image with a larger one
_MAX_TEXTS_BYTES = 1 << 23  # of all text chunks together


def shown_chunks(file: BinaryIO) -> BinaryIO:
    """Return a PNG as a file that contains only the chunks from which the image is decoded.

    Pillow refuses an image that has a compressed text or ICC chunk of more than 1 MB, to be safe from decompression
    bombs. AI generators and image editors write such chunks. They are skipped without inflating them.

    Args:
        file: the PNG, opened for reading bytes; it must stay open.
    """
    parts = _shown_parts(file)
    is_whole = parts[0][1] == file.seek(0, io.SEEK_END)
    file.seek(0)
    return file if is_whole else io.BufferedReader(_Parts(file, parts), buffer_size=1 << 16)


class _Parts(io.RawIOBase):
    """Parts of a file as one file.

    Args:
        file: the file.
        parts: offset and length of each part.
    """

    def __init__(self, file: BinaryIO, parts: list[tuple[int, int]]) -> None:
        self._file = file
        self._parts = parts
        self._size = sum(length for _, length in parts)
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position, as every file does."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer from one part."""
        inside = self._position
        for start, length in self._parts:
            if inside < length:
                self._file.seek(start + inside)
                data = self._file.read(min(len(buffer), length - inside))
                buffer[: len(data)] = data
                self._position += len(data)
                return len(data)
            inside -= length
        return 0


def _shown_parts(file: BinaryIO) -> list[tuple[int, int]]:
    """Return offset and length of each part of the file to keep."""
    end = file.seek(0, io.SEEK_END)
    parts = [(0, min(_SIGNATURE_BYTES, end))]
    position = _SIGNATURE_BYTES
    num_text_bytes = 0
    while position < end:
        file.seek(position)
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if not kind.isalpha():  # damage: Pillow handles the remaining bytes
            length = end
        keep = not kind.isalpha() or kind in _SHOWN
        if kind in _TEXT and num_text_bytes < _MAX_TEXTS_BYTES:
            keep = _gives_orientation(file, kind, length)
            num_text_bytes += length if keep else 0
        size = min(12 + length, end - position)  # length, type, data and checksum
        if keep:
            start, before = parts[-1]
            if start + before == position:
                parts[-1] = (start, before + size)
            else:
                parts.append((position, size))
        position += size
    return parts


def _gives_orientation(file: BinaryIO, kind: bytes, length: int) -> bool:
    """Return whether a text chunk, whose data come next, can contain an orientation and is short."""
    if length > _MAX_TEXT_BYTES:
        return False
    keyword, _, rest = file.read(length).partition(b"\0")
    if keyword not in _KEYWORDS_OF_ORIENTATION:
        return False
    if kind == b"tEXt":
        return True
    if kind == b"iTXt":
        if not rest.startswith(b"\x01"):  # not compressed
            return True
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # behind flag, method, language, translated keyword
    else:
        rest = rest[1:]
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(rest, _MAX_TEXT_BYTES)
    except zlib.error:
        return False
    return not inflater.unconsumed_tail
