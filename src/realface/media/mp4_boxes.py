"""The outermost structure of MP4 and MOV files, which shows whether a file is complete."""

from __future__ import annotations

import struct
from pathlib import Path

_FIRST = {b"ftyp", b"moov", b"mdat", b"wide"}  # how such a file can begin; old MOV files have no ftyp
_NEEDED = {b"ftyp", b"moov", b"moof", b"mdat"}  # the index and the frames; what else is cut does not matter


def is_cut_off(path: Path) -> bool:
    """Return whether an MP4 or MOV file misses its index or some of its frames; False for any other file.

    FFmpeg reports a missing index as "invalid data", and silently decodes a cut file up to the cut.

    Source: ISO/IEC 14496-12, 4.2. A box is its size, its type of 4 letters, and its content. The size counts all
    three; 0 means "up to the end of the file", 1 that 8 bytes with the size follow the type.
    """
    file_size = path.stat().st_size
    position = 0
    kinds = set()
    with path.open("rb") as file:
        while position + 8 <= file_size:
            file.seek(position)
            header = file.read(16)
            size, kind = struct.unpack(">I4s", header[:8])
            if position == 0 and kind not in _FIRST:
                return False
            kinds.add(kind)
            if size == 1:
                size = int.from_bytes(header[8:], "big")
            if size < 8:  # up to the end of the file, or bytes that are no box
                break
            position += size
            if position > file_size and kind in _NEEDED:
                return True
    return bool(kinds) and not {b"moov", b"mdat"} <= kinds
