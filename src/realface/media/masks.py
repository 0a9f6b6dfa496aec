"""Manipulation masks, as the pixels that they mark."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.media.images import read_image

HALF = 128
"""Lowest value of a manipulated pixel: soft and blurred edges are cut at one half."""


def forged_pixels(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels that a mask marks as manipulated.

    Args:
        image: (H, W, 3) RGB, black at unchanged pixels. The brightest of the three channels counts, so that a
            mask may have any colour.

    Returns:
        (H, W), true at manipulated pixels.
    """
    return np.asarray(image.max(axis=2) >= HALF)


def read_forged_pixels(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask and bring it to another size by the nearest pixel.

    Args:
        size: (height, width) in pixels.

    Returns:
        (height, width), true at manipulated pixels.

    Raises:
        MissingInputError: the file does not exist.
        MediaError: the reasons of `read_image`.
    """
    marked = forged_pixels(read_image(path)).astype(np.uint8)
    # OpenCV's plain nearest rule looks up corners, not centers as the resizing of crops does
    return np.asarray(cv2.resize(marked, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0)
