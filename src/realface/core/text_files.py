"""Text files that people write, in UTF-8 with or without a byte order mark."""

from __future__ import annotations

import codecs
from pathlib import Path

from realface.core.errors import TextFileError

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BYTES_LOOKED_AT = 1024


def read_text(path: Path, *, errors: str = "strict") -> str:
    r"""Return the text of a file, without its byte order mark and with `\n` at the end of every line.

    Args:
        path: the file.
        errors: handling of bytes that are not UTF-8, see `bytes.decode`. Use `surrogateescape` for lists of file
            names.

    Raises:
        TextFileError: the bytes are UTF-16, or not UTF-8 unless `errors` allows that.
        OSError: the file cannot be read.
    """
    return decode_text(path.read_bytes(), errors=errors).replace("\r\n", "\n").replace("\r", "\n")


def decode_text(data: bytes, *, errors: str = "strict") -> str:
    """Return UTF-8 bytes as text, without a byte order mark.

    Raises:
        TextFileError: the bytes are UTF-16, or not UTF-8 unless `errors` allows that.
    """
    if is_utf16(data):
        raise TextFileError("UTF-16 text", hint="save it as UTF-8")
    try:
        return data.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise TextFileError(f"not UTF-8 text (byte {error.start})", hint="save it as UTF-8") from error


def is_utf16(data: bytes) -> bool:
    """Return True if bytes are UTF-16: they start with its byte order mark, or every second byte is zero."""
    if data.startswith(_UTF16_MARKS):
        return True
    start = data[:_BYTES_LOOKED_AT]
    return len(start) >= 4 and any(not any(start[first::2]) and all(start[1 - first :: 2]) for first in (0, 1))
