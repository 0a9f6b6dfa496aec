"""Landmarks as the 468 points of the face mesh, also where only five are known."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import PseudoFakeError
from realface.core.mesh_regions import FIVE_POINTS, LEFT_EYE, LIPS, NOSE_TIP, NUM_POINTS, RIGHT_EYE
from realface.data.pseudo_fakes.contract import Landmarks

Points = NDArray[np.float32]

_DEPTH_RIDGE = 0.05  # pulls the fitted depth to 0, because five points determine the pose poorly
_MEAN_SHAPE_FILE = "face_shape.csv"


def dense_points(landmarks: Landmarks) -> Points:
    """Return (468, 2) points in pixels.

    Five landmarks are extended by the mean face: its 3D points are mapped to the image by the affine camera that fits
    the five best, so the outline follows the position, size, tilt and roughly the pose of the head.

    Args:
        landmarks: (5, 2) as in `Face`, or (468, 2 or 3).

    Raises:
        PseudoFakeError: another shape, or points that are not finite.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if not np.isfinite(points).all():
        raise PseudoFakeError("landmarks must be finite", hint="exclude faces without landmarks")
    if points.shape == (5, 2):
        return _from_five(points)
    if points.ndim == 2 and len(points) == NUM_POINTS and points.shape[1] in (2, 3):
        return points[:, :2].astype(np.float32)
    raise PseudoFakeError(f"landmarks must have the shape (5, 2) or (468, 2 or 3), found {points.shape}")


def five_of(points: Points) -> Points:
    """Return the (5, 2) landmarks of a face detector from a mesh."""
    return np.array([points[list(indices)].mean(axis=0) for indices in FIVE_POINTS], dtype=np.float32)


def mirrored_points(points: Points, width: int) -> Points:
    """Return the mesh of the image mirrored left to right; its indices keep their meaning (left eye = left eye)."""
    mirrored = points[mirror_indices()].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored


def face_side(points: Points) -> float:
    """Return the size of a face in pixels: the mean of the extents of its mesh, at least 1."""
    return max(1.0, float(np.ptp(points, axis=0).mean()))


def face_axes(points: Points) -> tuple[Points, Points, Points]:
    """Return the origin and the two axes of a face's own coordinates.

    Args:
        points: (468, 2) in pixels.

    Returns:
        Three (2,) arrays in pixels: the point between the eyes, half the vector from the left to the right eye, and the
        vector from the point between the eyes to the mouth.
    """
    left, right = (points[list(eye)].mean(axis=0) for eye in (LEFT_EYE, RIGHT_EYE))
    origin = (left + right) / 2
    return origin, (right - left) / 2, points[list(LIPS)].mean(axis=0) - origin


def yaw(points: Points) -> float:
    """Return where the nose tip is between the eyes: 0 = in the middle, -1 and 1 = at the left and right eye."""
    origin, across, _ = face_axes(points)
    return float((points[NOSE_TIP] - origin) @ across / max(float(across @ across), 1e-6))


@cache
def mean_shape() -> NDArray[np.float64]:
    """Return (468, 3): the mean face, with the eyes at x = -0.5 and 0.5; see tools/make_face_shape.py."""
    return _table()[:, :3]


@cache
def mirror_indices() -> NDArray[np.intp]:
    """Return (468,): the index of each point's mirror point."""
    return _table()[:, 3].astype(np.intp)


@cache
def _table() -> NDArray[np.float64]:
    text = (resources.files("realface.data.pseudo_fakes") / _MEAN_SHAPE_FILE).read_text(encoding="utf-8")
    return np.array([[float(value) for value in line.split(",")] for line in text.splitlines()[1:]])


def _from_five(points: NDArray[np.float64]) -> Points:
    shape = mean_shape()
    anchors = np.array([shape[list(indices)].mean(axis=0) for indices in FIVE_POINTS])
    design = np.column_stack([anchors, np.ones(5)])
    ridge = np.diag([0.0, 0.0, _DEPTH_RIDGE, 0.0])
    camera = np.linalg.lstsq(design.T @ design + ridge, design.T @ points, rcond=None)[0]
    return np.asarray(np.column_stack([shape, np.ones(NUM_POINTS)]) @ camera, dtype=np.float32)
