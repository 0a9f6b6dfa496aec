"""Parts of a face as polygons, and the soft, randomly deformed masks made from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from realface.core.mesh_regions import FACE_OVAL, LEFT_BROW, LEFT_EYE, LIPS, NOSE, RIGHT_BROW, RIGHT_EYE
from realface.data.pseudo_fakes.contract import MIN_SHARE, Mask
from realface.data.pseudo_fakes.points import Points, face_axes, face_side
from realface.data.pseudo_fakes.warps import draw_shifts, elastic_map

Polygons = list[Points]

_SUBPIXEL_BITS = 4
_SMALL = frozenset({"mouth", "eyes", "nose", "brows"})
_TEMPLES = (21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251)  # the oval above the eyes


@dataclass(frozen=True)
class MaskSettings:
    """Settings of the random variation of a mask; lengths are shares of the face's size.

    Attributes:
        vertex: standard deviation of the shift of each polygon vertex.
        bend: standard deviation of the elastic shifts of the outline.
        scale: range of the factor of the polygon around its centre.
        softness: range of the width of each of the two blurs.
        hard_share: share of masks with a hard edge.
    """

    vertex: float = 0.008
    bend: float = 0.018
    scale: tuple[float, float] = (0.92, 1.06)
    softness: tuple[float, float] = (0.01, 0.09)
    hard_share: float = 0.1


def _oval(points: Points, generator: np.random.Generator) -> Polygons:
    del generator
    return [points[list(FACE_OVAL)]]


def _hull(points: Points, generator: np.random.Generator) -> Polygons:
    """Return the hull of 68 landmarks, from the brows to the chin, with the forehead up to a random height."""
    return _brows_to_chin(points, rise=generator.uniform(0, 0.35))


def _low_hull(points: Points, generator: np.random.Generator) -> Polygons:
    """Return the hull without the forehead, which is often covered by hair or a hat."""
    return _brows_to_chin(points, rise=generator.uniform(-0.02, 0.1))


def _brows_to_chin(points: Points, *, rise: float) -> Polygons:
    down = face_axes(points)[2]
    brows = points[list(LEFT_BROW[:5] + RIGHT_BROW[:5])] - np.float32(rise) * down
    jaw = points[[index for index in FACE_OVAL if index not in _TEMPLES]]
    return [_convex(np.concatenate([jaw, brows]))]


def _head(points: Points, generator: np.random.Generator) -> Polygons:
    """Return the oval and a part of the hair."""
    oval = points[list(FACE_OVAL)].copy()
    rise = generator.uniform(0.25, 0.7)
    origin, _, down = face_axes(points)
    height = (oval - origin) @ down / max(float(down @ down), 1e-6)
    oval += np.clip(-height, 0, None)[:, None] * np.float32(-rise) * down
    center = oval.mean(axis=0)
    return [center + (oval - center) * np.float32(generator.uniform(1.0, 1.12))]


def _inner(points: Points, generator: np.random.Generator) -> Polygons:
    """Brows, eyes, nose and mouth without the jaw."""
    del generator
    parts = points[list(LEFT_BROW + RIGHT_BROW + LIPS + LEFT_EYE + RIGHT_EYE)]
    return [_convex(parts)]


def _lower(points: Points, generator: np.random.Generator) -> Polygons:
    """Return the region from a random height of the nose to the chin."""
    origin, _, down = face_axes(points)
    oval = points[list(FACE_OVAL)]
    height = (oval - origin) @ down / max(float(down @ down), 1e-6)
    start = generator.uniform(0.25, 0.6)
    return [_convex(np.concatenate([oval[height > start], points[[2, 97, 326]]]))]


def _ellipse(points: Points, generator: np.random.Generator) -> Polygons:
    origin, across, down = face_axes(points)
    middle, width, height = generator.uniform(0.5, 0.7), generator.uniform(1.5, 2.0), generator.uniform(0.95, 1.25)
    # upright on the axis from eyes to mouth; of a turned head the eyes are close together in the image
    across = _perpendicular(down, max(float(np.linalg.norm(across)), 0.45 * float(np.linalg.norm(down))))
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    x, y = np.cos(angles)[:, None] * width, middle + np.sin(angles)[:, None] * height
    return [(origin + x * across + y * down).astype(np.float32)]


def _half(points: Points, generator: np.random.Generator) -> Polygons:
    """Return the oval on one side of a line near the nose."""
    side = 1 if generator.random() < 0.5 else -1
    shift = generator.uniform(-0.2, 0.4)
    origin, across, _ = face_axes(points)
    oval = points[list(FACE_OVAL)].copy()
    place = side * ((oval - origin) @ across) / max(float(across @ across), 1e-6)
    oval -= np.clip(place - shift, 0, None)[:, None] * np.float32(side) * across
    return [oval]


def _eyes(points: Points, generator: np.random.Generator) -> Polygons:
    wider, higher = generator.uniform(1.3, 1.9), generator.uniform(2.2, 4.5)
    joined = generator.random() < 0.35
    down = face_axes(points)[2]
    eyes = [_grown(points[list(eye)], wider, higher, down) for eye in (LEFT_EYE, RIGHT_EYE)]
    return [_convex(np.concatenate(eyes))] if joined else eyes


def _brows(points: Points, generator: np.random.Generator) -> Polygons:
    wider, higher = generator.uniform(1.15, 1.4), generator.uniform(1.6, 2.6)
    down = face_axes(points)[2]
    return [_grown(_convex(points[list(brow)]), wider, higher, down) for brow in (LEFT_BROW, RIGHT_BROW)]


def _mouth(points: Points, generator: np.random.Generator) -> Polygons:
    wider, higher = generator.uniform(1.2, 1.6), generator.uniform(1.4, 2.4)
    return [_grown(points[list(LIPS)], wider, higher, face_axes(points)[2])]


def _nose(points: Points, generator: np.random.Generator) -> Polygons:
    wider, higher = generator.uniform(1.0, 1.4), generator.uniform(1.0, 1.2)
    return [_grown(points[list(NOSE)], wider, higher, face_axes(points)[2])]


REGIONS: dict[str, Callable[[Points, np.random.Generator], Polygons]] = {
    "oval": _oval,
    "hull": _hull,
    "low_hull": _low_hull,
    "head": _head,
    "inner": _inner,
    "lower": _lower,
    "ellipse": _ellipse,
    "half": _half,
    "eyes": _eyes,
    "brows": _brows,
    "mouth": _mouth,
    "nose": _nose,
}
"""Name -> (points, generator) -> polygons, each (V, 2) in pixels."""


def draw_region(generator: np.random.Generator, shares: dict[str, float]) -> str:
    """Return the name of a region, drawn by the shares."""
    names = list(shares)
    weights = np.array([shares[name] for name in names])
    return names[int(generator.choice(len(names), p=weights / weights.sum()))]


def plain_mask(polygons: Polygons, shape: tuple[int, ...]) -> Mask:
    """Return the (H, W) mask of polygons: 1 inside, 0 outside, with an antialiased edge."""
    mask = np.zeros(shape[:2], dtype=np.uint8)
    for polygon in polygons:
        fixed = np.round(polygon * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], (255,), lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return np.asarray(mask / np.float32(255), dtype=np.float32)


def draw_mask(
    region: str,
    points: Points,
    shape: tuple[int, ...],
    generator: np.random.Generator,
    settings: MaskSettings | None = None,
) -> Mask:
    """Draw a soft, deformed mask of a region.

    The polygon is scaled, its vertices are shifted, the outline is bent elastically and blurred twice. After the first
    blur, only pixels with a full mask remain: a wide first blur shrinks the mask, a wide second blur grows it.

    Args:
        region: name in `REGIONS`.
        points: (468, 2) in pixels.
        shape: (H, W, ...) of the image.
        generator: source of everything random.
        settings: ranges of the variation.

    Returns:
        (H, W) float32 in [0, 1], 0 outside a finite area.

    Source: arXiv 2204.08376, section 3.2: landmark hull, elastic deformation, two blurs with an erosion between. The
    paper's ranges are not printed; these are ours, chosen by eye.
    """
    settings = settings or MaskSettings()
    side = face_side(points)
    scale = np.float32(generator.uniform(*settings.scale))
    polygons = []
    for polygon in REGIONS[region](points, generator):
        center = polygon.mean(axis=0)
        shift = generator.normal(0, settings.vertex * side, size=(8, 2))
        # neighbouring vertices move together, or the outline would be frayed
        spread = cv2.resize(shift.astype(np.float32), (2, len(polygon)), interpolation=cv2.INTER_LINEAR)
        polygons.append((center + (polygon - center) * scale + spread).astype(np.float32))
    mask = plain_mask(polygons, shape)
    small = 0.4 if region in _SMALL else 1.0
    columns, rows = elastic_map(shape, settings.bend * side * small, draw_shifts(generator))
    first, second = (generator.uniform(*settings.softness) * side * small for _ in range(2))
    is_hard = generator.random() < settings.hard_share
    mask = np.asarray(cv2.remap(mask, columns, rows, cv2.INTER_LINEAR), dtype=np.float32)
    return finished_mask(mask if is_hard else _softened(mask, first, second))


def finished_mask(mask: Any) -> Mask:
    """Clip to [0, 1] and set negligible shares to 0."""
    clipped = np.asarray(np.clip(mask, 0, 1), dtype=np.float32)
    clipped[clipped < MIN_SHARE] = 0
    return clipped


def _softened(mask: Mask, first: float, second: float) -> Mask:
    kernel = (_odd(first), _odd(first))
    soft = np.asarray(cv2.GaussianBlur(mask, kernel, 0), dtype=np.float32)
    whole = np.where(soft < np.float32(0.98), np.float32(0), soft)
    if whole.max() == 0:  # a region smaller than the blur
        whole = mask
    return np.asarray(cv2.GaussianBlur(whole, (_odd(second), _odd(second)), 0), dtype=np.float32)


def _odd(pixels: float) -> int:
    return max(1, round(pixels)) // 2 * 2 + 1


def _convex(points: Points) -> Points:
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], dtype=np.float32)


def _grown(polygon: Points, wider: float, higher: float, down: Points) -> Points:
    """Scale a polygon around its centre, by one factor along `down` and another one across."""
    center = polygon.mean(axis=0)
    unit = down / max(float(np.linalg.norm(down)), 1e-6)
    along = ((polygon - center) @ unit)[:, None] * unit
    grown = center + np.float32(wider) * (polygon - center - along) + np.float32(higher) * along
    return np.asarray(grown, dtype=np.float32)


def _perpendicular(down: Points, length: float) -> Points:
    """Return the vector across the face: `down` turned by a right angle."""
    factor = length / max(float(np.linalg.norm(down)), 1e-6)
    return np.asarray((down[1] * factor, -down[0] * factor), dtype=np.float32)
