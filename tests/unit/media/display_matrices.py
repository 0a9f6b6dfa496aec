"""The eight orientations of a video, and files that ask for them.

Source: ISO/IEC 14496-12, 6.2.2 and 8.3.2.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from numbered_frames import Image

MATRICES = {
    "upright": (1, 0, 0, 1),
    "turned-90": (0, 1, -1, 0),
    "turned-180": (-1, 0, 0, -1),
    "turned-270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside-down-mirrored": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "anti-transposed": (0, -1, -1, 0),
}
"""Display matrices (a, b, c, d): a stored point (x, y) is shown at (a x + c y, b x + d y), moved to x, y >= 0."""


def turned(matrix: Sequence[int], image: Image) -> Image:
    """Return what is stored of an image that a display matrix makes upright."""
    a, b, c, d = matrix
    height, width = image.shape[:2] if a else image.shape[1::-1]
    y, x = np.indices((height, width))
    shown_x, shown_y = a * x + c * y, b * x + d * y
    return image[shown_y - shown_y.min(), shown_x - shown_x.min()]


def set_matrix(path: Path, matrix: Sequence[int]) -> None:
    """Write a display matrix into the first track header of an MP4 or MOV file."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40  # what comes before the matrix
    a, b, c, d = (value << 16 for value in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
