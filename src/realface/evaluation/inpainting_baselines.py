"""Inpainting of a hidden square without a model of faces: an MAE must beat these baselines to have learned anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

CV2_RADIUS = 3
"""Radius around a hidden pixel, in pixels, that OpenCV's inpainting uses. Source: OpenCV's example."""

Picture = NDArray[np.uint8]
Filled = NDArray[np.float64]
"""(side, side, 3), in grey levels: the content that replaces a square."""


@dataclass(frozen=True)
class Square:
    """A hidden square of an image, in pixels.

    Attributes:
        top: its first row.
        left: its first column.
        side: its height and width.
    """

    top: int
    left: int
    side: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)


InpaintingBaseline = Callable[[Picture, Square], Filled]
"""An image (H, W, 3) and its hidden square, whose pixels are not read -> the content that replaces the square."""


def mean_colour(image: Picture, square: Square) -> Filled:
    """Return the mean of all visible pixels, everywhere."""
    is_visible = _mask(image, square) == 0
    return np.broadcast_to(image[is_visible].mean(0), (square.side, square.side, 3))


def harmonic(image: Picture, square: Square) -> Filled:
    """Return the smoothest inpainting: each pixel is the mean of its four neighbours, from the square's border inwards.

    This is the discrete Laplace equation, solved exactly in the eigenvectors of its rows and columns. At an edge of the
    image, a pixel is the mean of the neighbours that exist.
    """
    height, width = image.shape[:2]
    rows, columns = square.pixels
    border = np.zeros((square.side, square.side, 3))
    has_above, has_below = rows.start > 0, rows.stop < height
    has_left, has_right = columns.start > 0, columns.stop < width
    if has_above:
        border[0] += image[rows.start - 1, columns]
    if has_below:
        border[-1] += image[rows.stop, columns]
    if has_left:
        border[:, 0] += image[rows, columns.start - 1]
    if has_right:
        border[:, -1] += image[rows, columns.stop]
    row_values, row_vectors = _modes(square.side, has_above, has_below)
    column_values, column_vectors = _modes(square.side, has_left, has_right)
    by_colour = row_vectors.T @ border.transpose(2, 0, 1) @ column_vectors
    by_colour /= row_values[:, None] + column_values
    return (row_vectors @ by_colour @ column_vectors.T).transpose(1, 2, 0)


def telea(image: Picture, square: Square) -> Filled:
    """OpenCV's fast marching method, after Telea (2004)."""
    return _inpainted_by_cv2(image, square, cv2.INPAINT_TELEA)


def navier_stokes(image: Picture, square: Square) -> Filled:
    """OpenCV's method that continues edges as a fluid would flow, after Bertalmio et al. (2001)."""
    return _inpainted_by_cv2(image, square, cv2.INPAINT_NS)


INPAINTING_BASELINES: Mapping[str, InpaintingBaseline] = {
    "mean colour": mean_colour,
    "harmonic": harmonic,
    "Telea": telea,
    "Navier-Stokes": navier_stokes,
}
"""All baselines, by the names under which they are reported."""


def _inpainted_by_cv2(image: Picture, square: Square, method: int) -> Filled:
    inpainted = cv2.inpaint(image, _mask(image, square), CV2_RADIUS, method)
    return inpainted[square.pixels].astype(np.float64)


def _mask(image: Picture, square: Square) -> NDArray[np.uint8]:
    """Return (H, W), 255 where the square hides the image."""
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[square.pixels] = 255
    return mask


@cache
def _modes(side: int, is_known_before: bool, is_known_after: bool) -> tuple[Filled, Filled]:
    """Eigenvalues (side,) and vectors (side, side) of a line's second differences, its neighbours known or absent."""
    line = 2 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    line[0, 0] -= not is_known_before
    line[-1, -1] -= not is_known_after
    values, vectors = np.linalg.eigh(line)
    return values, vectors
