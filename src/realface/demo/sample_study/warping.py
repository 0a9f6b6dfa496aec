"""Backward maps: for each pixel of a new image, its position in the old image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.face_points import Points

Map = NDArray[np.float32]
"""(H, W, 2) x and y, in pixels of the image that is read."""

_COARSE = 8  # pixels between the positions at which a smooth map is computed; it is interpolated between them


def identity_map(height: int, width: int) -> Map:
    """Return the map that does not change the image, (height, width, 2)."""
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([columns, rows], axis=-1)


def bump(center: NDArray[np.floating], radius: float, *, height: int, width: int) -> NDArray[np.float32]:
    """Return a Gaussian, (height, width) in [0, 1], with the value 1 at the centre.

    Args:
        center: (2,) x and y, in pixels.
        radius: standard deviation, in pixels.
        height: height of the result, in pixels.
        width: width of the result, in pixels.
    """
    across = np.exp(-((np.arange(width) - center[0]) ** 2) / (2 * radius**2))
    down = np.exp(-((np.arange(height) - center[1]) ** 2) / (2 * radius**2))
    return np.outer(down, across).astype(np.float32)


def bump_map(centers: Points, shifts: Points, radii: NDArray[np.floating], *, height: int, width: int) -> Map:
    """Return the map that moves the surroundings of each centre by about its shift.

    Args:
        centers: (N, 2), in pixels.
        shifts: (N, 2), in pixels.
        radii: (N,), in pixels.
        height: height of the map, in pixels.
        width: width of the map, in pixels.
    """
    field = identity_map(height, width)
    for center, shift, radius in zip(centers, shifts, radii, strict=True):
        field -= bump(center, float(radius), height=height, width=width)[..., None] * shift.astype(np.float32)
    return field


def thin_plate_map(shown_at: Points, read_from: Points, *, height: int, width: int) -> Map:
    """Return the smoothest map from points of the new image to points of the old image.

    Args:
        shown_at: (P, 2), points of the new image, in pixels.
        read_from: (P, 2), points of the old image that are shown there, in pixels.
        height: height of the map, in pixels.
        width: width of the map, in pixels.
    """
    from scipy.interpolate import RBFInterpolator

    columns = np.arange(0, width + _COARSE, _COARSE, dtype=np.float32)
    rows = np.arange(0, height + _COARSE, _COARSE, dtype=np.float32)
    places = np.stack(np.meshgrid(columns, rows), axis=-1)
    spline = RBFInterpolator(shown_at, read_from, kernel="thin_plate_spline", smoothing=1.0)
    coarse = spline(places.reshape(-1, 2)).reshape(places.shape).astype(np.float32)
    return warp(coarse, identity_map(height, width) / np.float32(_COARSE), interpolation=cv2.INTER_LINEAR)


def warp(image: NDArray[Any], field: NDArray[np.float32], *, interpolation: int = cv2.INTER_CUBIC) -> NDArray[Any]:
    """Return an image read through a map. Beyond the border, the border is repeated.

    Args:
        image: (H, W) or (H, W, C), of any number type that OpenCV accepts.
        field: (H', W', 2), or (P, 1, 2) for single points.
        interpolation: a constant of OpenCV.

    Returns:
        (H', W') or (H', W', C) of the same type.
    """
    border = cv2.BORDER_REPLICATE
    return cv2.remap(image, field, None, interpolation, borderMode=border)  # type: ignore[call-overload, no-any-return]


def moved_points(points: Points, field: Map) -> Points:
    """Return the positions in the new image of points of the old image, for a smooth map.

    Args:
        points: (P, 2), in pixels of the old image.
        field: (H, W, 2), the map.

    Returns:
        (P, 2), in pixels of the new image.
    """
    moved = points.copy()
    for _ in range(8):
        read = warp(field, moved[:, None], interpolation=cv2.INTER_LINEAR)
        moved += points - read[:, 0]
    return moved
