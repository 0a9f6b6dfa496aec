"""Backward maps: for each pixel of a new picture, the place in the old one that it shows."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.face_points import Points

Map = NDArray[np.float32]
"""(H, W, 2) x and y, in pixels of the picture that is read."""

_COARSE = 8  # pixels between the places where a smooth map is worked out; between them it is interpolated


def identity_map(height: int, width: int) -> Map:
    """The map that changes nothing."""
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([columns, rows], axis=-1)


def bump(center: NDArray[np.floating], radius: float, *, height: int, width: int) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: 1 at the center, falling as a Gaussian of that radius in pixels."""
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
    """The smoothest map that shows at each point of `shown_at` what lies at its partner in `read_from`."""
    from scipy.interpolate import RBFInterpolator

    columns = np.arange(0, width + _COARSE, _COARSE, dtype=np.float32)
    rows = np.arange(0, height + _COARSE, _COARSE, dtype=np.float32)
    places = np.stack(np.meshgrid(columns, rows), axis=-1)
    spline = RBFInterpolator(shown_at, read_from, kernel="thin_plate_spline", smoothing=1.0)
    coarse = spline(places.reshape(-1, 2)).reshape(places.shape).astype(np.float32)
    return warp(coarse, identity_map(height, width) / np.float32(_COARSE), interpolation=cv2.INTER_LINEAR)


def warp(image: NDArray[Any], field: NDArray[np.float32], *, interpolation: int = cv2.INTER_CUBIC) -> NDArray[Any]:
    """Read a picture through a map; beyond its border the border is repeated.

    Args:
        image: (H, W) or (H, W, C), any number type that OpenCV takes.
        field: (H', W', 2), or (P, 1, 2) for single places.
        interpolation: one of OpenCV's.

    Returns:
        (H', W') or (H', W', C) of the same type.
    """
    border = cv2.BORDER_REPLICATE
    return cv2.remap(image, field, None, interpolation, borderMode=border)  # type: ignore[call-overload, no-any-return]


def moved_points(points: Points, field: Map) -> Points:
    """Where points of the old picture are found in the new one, for a map that bends smoothly."""
    moved = points.copy()
    for _ in range(8):
        read = warp(field, moved[:, None], interpolation=cv2.INTER_LINEAR)
        moved += points - read[:, 0]
    return moved
