"""Self-blended images: fakes made by blending two copies of one real image.

The copies differ a little in colour, sharpness and position, so the blend has the traces of a forgery, a seam and
inconsistent statistics, without the face of another person. A detector can learn from them without other fakes.

Source: Shiohara and Yamasaki, CVPR 2022, "Detecting Deepfakes with Self-Blended Images" (arXiv 2204.08376), sections
3.1 to 3.3. Written from the paper; the ranges of the colour changes, which it does not print, are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]

_GRID = 4  # the mask is bent by shifts at 4 x 4 places


@dataclass(frozen=True)
class SelfBlendRanges:
    """Ranges from which the settings of a blend are drawn, uniformly except where noted.

    Attributes:
        source_chance: probability that the inside is the altered copy; otherwise the surroundings are.
        colour: shift of each of R, G and B, in grey levels.
        hue: shift of the hue, in degrees.
        saturation: factor.
        brightness: factor.
        contrast: factor around the mean.
        sharpening: strength of the unsharp mask of a sharpened copy.
        shrinking: factor of shrinking a softened copy, which is then enlarged again.
        scale: factor of the source's width and, drawn separately, of its height.
        shift: shift of the source, as a share of the face's longer side.
        bend: shift of points of the mask's outline, as a share of the face's longer side.
        softness: kernel sizes of the mask's two blurs, as a share of the face's longer side.
        ratios: strengths of the blend; one entry of the list is drawn.
    """

    source_chance: float = 0.5
    colour: Range = (-20, 20)
    hue: Range = (-20, 20)
    saturation: Range = (0.7, 1.3)
    brightness: Range = (0.9, 1.1)
    contrast: Range = (0.9, 1.1)
    sharpening: Range = (0.5, 1.5)
    shrinking: Range = (2, 4)
    scale: Range = (0.95, 1.05)
    shift: Range = (-0.03, 0.03)
    bend: Range = (-0.06, 0.06)
    softness: Range = (0.02, 0.15)
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class SelfBlend:
    """Settings of one blend. With the same settings, all frames of a video get the same forgery.

    Attributes:
        alters_source: whether the inside is the altered copy; otherwise the surroundings are.
        colour: shifts of R, G, B in grey levels.
        hue: degrees.
        saturation: factor.
        brightness: factor.
        contrast: factor.
        sharpening: strength; 0 if the copy is softened.
        shrinking: factor; 1 if the copy is sharpened.
        scale: (x, y) factors of the source.
        shift: (x, y) of the source, as a share of the face's longer side.
        bend: 4 x 4 (x, y) shifts of the mask, as a share of the face's longer side.
        softness: kernel sizes of the two blurs, as a share of the face's longer side.
        ratio: strength of the blend, in (0, 1].
    """

    alters_source: bool
    colour: tuple[float, float, float]
    hue: float
    saturation: float
    brightness: float
    contrast: float
    sharpening: float
    shrinking: float
    scale: tuple[float, float]
    shift: tuple[float, float]
    bend: tuple[tuple[float, float], ...]
    softness: tuple[float, float]
    ratio: float


def draw_self_blend(generator: np.random.Generator, ranges: SelfBlendRanges | None = None) -> SelfBlend:
    """Draw the settings of one blend.

    Args:
        generator: source of the randomness.
        ranges: ranges of the settings; the default `SelfBlendRanges` when None.
    """
    ranges = ranges or SelfBlendRanges()

    def one(limits: Range) -> float:
        return float(generator.uniform(*limits))

    sharpens = bool(generator.random() < 0.5)
    return SelfBlend(
        alters_source=bool(generator.random() < ranges.source_chance),
        colour=(one(ranges.colour), one(ranges.colour), one(ranges.colour)),
        hue=one(ranges.hue),
        saturation=one(ranges.saturation),
        brightness=one(ranges.brightness),
        contrast=one(ranges.contrast),
        sharpening=one(ranges.sharpening) if sharpens else 0.0,
        shrinking=1.0 if sharpens else one(ranges.shrinking),
        scale=(one(ranges.scale), one(ranges.scale)),
        shift=(one(ranges.shift), one(ranges.shift)),
        bend=tuple((one(ranges.bend), one(ranges.bend)) for _ in range(_GRID * _GRID)),
        softness=(one(ranges.softness), one(ranges.softness)),
        ratio=float(generator.choice(ranges.ratios)),
    )


def self_blend(
    image: NDArray[np.uint8], landmarks: NDArray[np.floating], blend: SelfBlend
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Blend an image with an altered copy of itself inside the hull of the face's landmarks.

    Args:
        image: (H, W, 3) uint8 RGB; it is not modified.
        landmarks: (P, 2) x and y in pixels, P >= 3; their hull is blended.
        blend: the settings.

    Returns:
        The blend, (H, W, 3) uint8, and the mask, (H, W) float32 in [0, 1]: the share of the pasted copy. Where the
        mask is 0, the blend equals the copy for the surroundings, which is the image itself if `alters_source`.
    """
    hull = cv2.convexHull(np.asarray(landmarks, dtype=np.float32))[:, 0].astype(np.float32)
    corner, far = hull.min(axis=0), hull.max(axis=0)
    side = float((far - corner).max())
    altered = _altered(image, blend)
    source, target = (altered, image) if blend.alters_source else (image, altered)
    source = _placed(source, (corner + far) / 2, side, blend)
    mask = _mask(image.shape[:2], hull, side, blend)
    share = mask[..., None]
    blended = source * share + target * (1 - share)
    return np.clip(blended + np.float32(0.5), 0, 255).astype(np.uint8), mask


def _altered(image: NDArray[np.uint8], blend: SelfBlend) -> NDArray[np.uint8]:
    """Change the colours, and sharpen or soften the image."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + blend.hue / 2) % 180  # OpenCV counts hue in steps of two degrees
    hsv[..., 1:] *= (blend.saturation, blend.brightness)
    turned = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    mean = turned.mean(axis=(0, 1), keepdims=True)
    coloured = mean + (turned - mean) * blend.contrast + np.array(blend.colour, dtype=np.float32)
    height, width = image.shape[:2]
    if blend.sharpening > 0:
        changed = coloured + blend.sharpening * (coloured - cv2.GaussianBlur(coloured, (0, 0), 1.5))
    else:
        small = (max(1, round(width / blend.shrinking)), max(1, round(height / blend.shrinking)))
        shrunk = cv2.resize(coloured.astype(np.float32), small, interpolation=cv2.INTER_AREA)
        changed = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(changed, 0, 255), dtype=np.uint8)


def _placed(image: NDArray[np.uint8], center: NDArray[np.float32], side: float, blend: SelfBlend) -> NDArray[np.uint8]:
    """Scale about the face's centre and shift, as if the landmarks had been found at slightly wrong positions."""
    scale, shift = np.array(blend.scale), np.array(blend.shift) * side
    offset = center - scale * center + shift
    matrix = np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])
    height, width = image.shape[:2]
    placed = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return placed.astype(np.uint8)


def _mask(shape: tuple[int, int], hull: NDArray[np.float32], side: float, blend: SelfBlend) -> NDArray[np.float32]:
    """Return the hull, bent, softened, shrunk or grown, softened again, times the blend's strength."""
    filled = np.zeros(shape, dtype=np.float32)
    cv2.fillConvexPoly(filled, np.round(hull).astype(np.int32), 1.0)
    height, width = shape
    bend = np.array(blend.bend, dtype=np.float32).reshape(_GRID, _GRID, 2) * np.float32(side)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    (x0, y0), (x1, y1) = hull.min(axis=0), hull.max(axis=0)
    across, down = (columns - x0) / (x1 - x0) * (_GRID - 1), (rows - y0) / (y1 - y0) * (_GRID - 1)
    shifts = cv2.remap(bend, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    bent = cv2.remap(filled, columns + shifts[..., 0], rows + shifts[..., 1], cv2.INTER_LINEAR)
    first, second = (max(1, round(share * side)) // 2 * 2 + 1 for share in blend.softness)
    soft = cv2.GaussianBlur(bent, (first, first), 0)
    # only pixels that the first blur did not change: a wide first blur shrinks the mask, a wide second blur grows it
    soft[soft < 0.999] = 0
    return np.asarray(cv2.GaussianBlur(soft, (second, second), 0) * np.float32(blend.ratio), dtype=np.float32)
