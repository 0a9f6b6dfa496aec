"""Images that carry their own number, and reading the number back from a decoded frame.

The top sixth is a row of eight cells: six bits of the number, lowest first, then a bright and a dark cell. The rest is
four quarters of different colours with a dark line that moves to the right. A frame that is upside down, mirrored,
turned or blended with another one has no valid number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

HEIGHT, WIDTH = 96, 128
MAX_NUMBERS = 64
BRIGHT, DARK = 215, 35
QUARTERS = {  # RGB of the quarters below the cells, by (lower, right)
    (0, 0): (190, 70, 60),
    (0, 1): (70, 165, 85),
    (1, 0): (60, 85, 180),
    (1, 1): (175, 175, 165),
}
_NUM_BITS = 6


def numbered_image(number: int, *, height: int = HEIGHT, width: int = WIDTH) -> Image:
    """Return the (height, width, 3) RGB image with this number, from 0 to 63."""
    assert 0 <= number < MAX_NUMBERS, number
    image = np.zeros((height, width, 3), np.uint8)
    top = height // 6
    middle = (top + height) // 2
    for (lower, right), colour in QUARTERS.items():
        rows = slice(middle, height) if lower else slice(top, middle)
        image[rows, slice(width // 2, width) if right else slice(0, width // 2)] = colour
    line = number * width // MAX_NUMBERS
    image[height * 5 // 6 :, line : line + max(2, width // 32)] = DARK
    bits = [bool(number >> bit & 1) for bit in range(_NUM_BITS)]
    for cell, is_bright in enumerate([*bits, True, False]):
        image[:top, cell * width // 8 : (cell + 1) * width // 8] = BRIGHT if is_bright else DARK
    return image


def read_number(image: Image) -> int:
    """Return the number of an upright decoded frame, or -1 if it has none."""
    height, width = image.shape[:2]
    cells = []
    for cell in range(_NUM_BITS + 2):
        left, right = cell * width // 8, (cell + 1) * width // 8
        margin = (right - left) // 4
        cells.append(float(image[height // 24 : height // 8, left + margin : right - margin].mean()))
    if any(80 < mean < 165 for mean in cells):
        return -1
    *bits, bright, dark = (mean > 125 for mean in cells)
    return sum(1 << bit for bit, is_set in enumerate(bits) if is_set) if bright and not dark else -1


def mean_colours(image: Image) -> NDArray[np.float64]:
    """Return the mean RGB of the whole image and of the four quarters below the cells, (5, 3)."""
    height, width = image.shape[:2]
    top = height // 6
    middle = (top + height) // 2
    parts = [
        image,
        image[top:middle, : width // 2],
        image[top:middle, width // 2 :],
        image[middle:, : width // 2],
        image[middle:, width // 2 :],
    ]
    return np.array([part.reshape(-1, 3).mean(axis=0) for part in parts])
