"""Geometric warps: similarity, dense alignment of two meshes, and elastic shifts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.mesh_regions import FACE_OVAL, INNER_LIPS, LEFT_BROW, LEFT_EYE, LIPS, NOSE, RIGHT_BROW, RIGHT_EYE
from realface.data.pseudo_fakes.contract import Image, Mask
from realface.data.pseudo_fakes.points import Points

Map = NDArray[np.float32]

CONTROL_POINTS = (
    *FACE_OVAL[::2],
    *LEFT_EYE[::4],
    *RIGHT_EYE[::4],
    *LEFT_BROW[:5:2],
    *RIGHT_BROW[:5:2],
    *NOSE[::3],
    *LIPS[::4],
    *INNER_LIPS[::5],
    *(1, 4, 152),
)
"""Mesh points that steer a dense alignment."""

STIFFNESS = 0.02
"""Of a dense alignment of two faces, whose landmarks are a little inexact."""

_GRID = 28  # places per side at which a dense warp is computed; it is smooth between them


def similarity(source: Points, target: Points) -> NDArray[np.float64]:
    """Return the (2, 3) map that turns, scales and moves `source` (N, 2) nearest to `target` (N, 2).

    Source: Umeyama 1991, in two dimensions, where a complex factor turns and scales at once.
    """
    middle, target_middle = source.mean(axis=0).astype(np.float64), target.mean(axis=0).astype(np.float64)
    z, w = ((points - center) @ (1, 1j) for points, center in ((source, middle), (target, target_middle)))
    factor = np.vdot(z, w) / max(np.vdot(z, z).real, 1e-9)
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([turn, target_middle - turn @ middle])


def warp_affine(
    image: Image, matrix: NDArray[np.float64], shape: tuple[int, ...], *, share: Mask | None = None
) -> tuple[Image, Mask]:
    """Warp an image.

    Args:
        image: (H, W, 3) RGB.
        matrix: (2, 3), maps pixels of the image to pixels of the result.
        shape: (height, width, ...) of the result.
        share: (H, W) in [0, 1], where the source has pixels that may be used; None: everywhere.

    Returns:
        The warped image and a (H, W) mask that is 0 where the source has no pixels and 1 well inside it.
    """
    size = (shape[1], shape[0])
    warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, dtype=np.uint8), _validity(
        lambda known: cv2.warpAffine(known, matrix, size, flags=cv2.INTER_LINEAR), image, share
    )


def warp_dense(
    image: Image,
    source: Points,
    target: Points,
    shape: tuple[int, ...],
    *,
    controls: Sequence[int] = CONTROL_POINTS,
    stiffness: float = STIFFNESS,
    share: Mask | None = None,
) -> tuple[Image, Mask]:
    """Warp an image so that the mesh `source` is moved onto the mesh `target`.

    The warp is a thin-plate spline through the control points: it follows the features and continues smoothly outside
    the face.

    Args:
        image: (H, W, 3) RGB.
        source: (468, 2) in pixels of `image`.
        target: (468, 2) in pixels of the result.
        shape: (height, width, ...) of the result.
        controls: mesh points that steer the warp.
        stiffness: preference for a smooth warp over an exact warp, > 0. At 0, coinciding control points have no
            solution, and the result would depend on the CPU.
        share: (H, W) in [0, 1], where the source has pixels that may be used; None: everywhere.

    Returns:
        The warped image and a (H, W) mask that is 0 at pixels that the source does not cover and 1 well inside it.
    """
    columns, rows = dense_map(source, target, shape, controls=controls, stiffness=stiffness)
    warped = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, dtype=np.uint8), _validity(
        lambda known: cv2.remap(known, columns, rows, cv2.INTER_LINEAR), image, share
    )


def remapped(image: Image, columns: Map, rows: Map, matrix: NDArray[np.float64]) -> Image:
    """Warp an image elastically and by an affine map, in one interpolation.

    Args:
        image: (H, W, 3) RGB.
        columns: (H, W), the columns that the elastic warp reads.
        rows: (H, W), the rows that it reads.
        matrix: (2, 3), from pixels of the image to pixels of the result.
    """
    inverse = cv2.invertAffineTransform(matrix)
    x = (inverse[0, 0] * columns + inverse[0, 1] * rows + inverse[0, 2]).astype(np.float32)
    y = (inverse[1, 0] * columns + inverse[1, 1] * rows + inverse[1, 2]).astype(np.float32)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), dtype=np.uint8)


def dense_map(
    source: Points, target: Points, shape: tuple[int, ...], *, controls: Sequence[int], stiffness: float
) -> tuple[Map, Map]:
    """Return the columns and rows of `source`'s image at which each pixel of `target`'s image reads."""
    knots, values = target[list(controls)].astype(np.float64), source[list(controls)].astype(np.float64)
    center, scale = knots.mean(axis=0), max(float(np.ptp(knots)), 1e-6)
    knots = (knots - center) / scale
    places = (_grid_places(shape) - center) / scale
    weights = _thin_plate(knots, values, stiffness)
    read = _bend(places, knots) @ weights[:-3] + np.column_stack([np.ones(len(places)), places]) @ weights[-3:]
    return _spread(read.reshape(_GRID, _GRID, 2).astype(np.float32), shape)


def draw_shifts(generator: np.random.Generator) -> NDArray[np.float64]:
    """Return standard normal shifts for `elastic_map`, at 4 to 7 places per side."""
    count = int(generator.integers(4, 8))
    return generator.normal(0, 1, size=(8, 8, 2))[:count, :count]


def elastic_map(shape: tuple[int, ...], sigma: float, shifts: NDArray[np.float64]) -> tuple[Map, Map]:
    """Return the columns and rows that a smooth warp reads.

    Args:
        shape: (height, width, ...) of the image.
        sigma: factor of the shifts, in pixels.
        shifts: (G, G, 2), of x and y at places evenly over the image.
    """
    height, width = shape[:2]
    smooth = cv2.resize((shifts * sigma).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    columns, rows = _identity(height, width)
    return columns + smooth[..., 0], rows + smooth[..., 1]


@lru_cache(maxsize=8)
def _identity(height: int, width: int) -> tuple[Map, Map]:
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return columns, rows


def _grid_places(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(G * G, 2) pixels at which `cv2.resize` expects the values of a grid."""
    height, width = shape[:2]
    steps = (np.arange(_GRID) + 0.5) / _GRID
    x, y = np.meshgrid(steps * width - 0.5, steps * height - 0.5)
    return np.column_stack([x.ravel(), y.ravel()])


def _spread(grid: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[Map, Map]:
    """The shifts of a coarse grid on every pixel; the identity is added in full resolution, or borders would bend."""
    height, width = shape[:2]
    places = _grid_places(shape).reshape(_GRID, _GRID, 2).astype(np.float32)
    smooth = cv2.resize(grid - places, (width, height), interpolation=cv2.INTER_CUBIC)
    columns, rows = _identity(height, width)
    return columns + smooth[..., 0], rows + smooth[..., 1]


def _thin_plate(controls: NDArray[np.float64], values: NDArray[np.float64], stiffness: float) -> NDArray[np.float64]:
    count = len(controls)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bend(controls, controls) + stiffness * np.eye(count)
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :] = controls
    system[count + 1 :, :count] = controls.T
    right = np.zeros((count + 3, 2))
    right[:count] = values
    return np.asarray(np.linalg.solve(system, right))


def _bend(places: NDArray[np.float64], controls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the thin plate's kernel r^2 log r^2, for every place and control point."""
    squared = ((places**2).sum(axis=1)[:, None] + (controls**2).sum(axis=1)[None] - 2 * places @ controls.T).clip(1e-12)
    return np.asarray(squared * np.log(squared))


def _validity(warp: Callable[[Mask], Any], image: Image, share: Mask | None) -> Mask:
    known = np.ones(image.shape[:2], dtype=np.float32) if share is None else share.copy()
    known[:1] = known[-1:] = 0
    known[:, :1] = known[:, -1:] = 0
    inside = np.asarray(warp(known), dtype=np.float32)
    if inside.min() > 0:
        return inside
    # a soft edge, so that the border of the source leaves no line
    return np.clip(cv2.blur(inside, (9, 9)) * 2 - 1, 0, 1).astype(np.float32)
