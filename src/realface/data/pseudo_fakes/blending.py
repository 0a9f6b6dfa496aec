"""Blending of a source into an image; pixels outside the mask never change."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.data.pseudo_fakes.contract import Image, Mask
from realface.data.pseudo_fakes.regions import finished_mask

_MIN_POISSON_SIDE = 12  # pixels of a mask's box; OpenCV fails on smaller boxes
_MAX_GAIN, _MIN_GAIN = 1.6, 0.6  # of the contrast, so that a flat face does not become a noisy one


def alpha_blend(source: Image, target: Image, mask: Mask) -> Image:
    """Return source x mask + target x (1 - mask), rounded; exactly the target where the mask is 0."""
    blended = target.copy()
    rows, columns = mask_box(mask)
    share = mask[rows, columns, None]
    inside = target[rows, columns].astype(np.float32)
    inside += (source[rows, columns] - inside) * share
    blended[rows, columns] = np.clip(inside + np.float32(0.5), 0, 255).astype(np.uint8)
    return blended


def poisson_blend(source: Image, target: Image, mask: Mask) -> tuple[Image, Mask]:
    """Blend the source's gradients into the target inside the mask.

    Args:
        source: (H, W, 3) RGB, aligned with the target.
        target: (H, W, 3) RGB.
        mask: (H, W) in [0, 1]; values above 0.5 select the source.

    Returns:
        The blend and its binary mask. If the mask is too small for the solver, the alpha blend and `mask`.

    Source: Pérez et al. 2003, "Poisson Image Editing", computed by OpenCV's seamlessClone.
    """
    inside = (mask > 0.5).astype(np.uint8)
    inside[:2] = inside[-2:] = 0
    inside[:, :2] = inside[:, -2:] = 0
    x, y, width, height = cv2.boundingRect(inside)
    if min(width, height) < _MIN_POISSON_SIDE:
        return alpha_blend(source, target, mask), mask
    center = (x + width // 2, y + height // 2)
    cloned = cv2.seamlessClone(source, target, inside * 255, center, cv2.NORMAL_CLONE)
    changed = finished_mask(inside.astype(np.float32))
    blended = np.where(changed[..., None] > 0, cloned, target)
    return np.asarray(blended, dtype=np.uint8), changed


def mask_box(mask: Mask) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest box that contains every pixel of the mask above 0."""
    x, y, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def transfer_colour(source: Image, target: Image, weight: Mask, strength: float) -> Image:
    """Give the source the mean and spread of the target's Lab colours.

    Args:
        source: (H, W, 3) RGB.
        target: (H, W, 3) RGB.
        weight: (H, W), where the statistics are taken.
        strength: 0 = unchanged, 1 = the target's statistics.

    Source: Reinhard et al. 2001, "Color Transfer between Images".
    """
    source_lab, target_lab = (cv2.cvtColor(image, cv2.COLOR_RGB2LAB) for image in (source, target))
    where = (weight > 0.5).astype(np.uint8)
    if not where.any():
        return source
    mean, spread = (np.ravel(values) for values in cv2.meanStdDev(source_lab, mask=where))
    target_mean, target_spread = (np.ravel(values) for values in cv2.meanStdDev(target_lab, mask=where))
    gain = 1 + strength * (np.clip(target_spread / np.maximum(spread, 1e-3), _MIN_GAIN, _MAX_GAIN) - 1)
    offset = mean + strength * (target_mean - mean) - gain * mean
    moved = cv2.transform(source_lab, np.column_stack([np.diag(gain), offset]))
    return np.asarray(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), dtype=np.uint8)


def smallest_share(mask: Mask, valid: Mask | NDArray[np.floating]) -> Mask:
    """Return the mask limited to the pixels that the source covers.

    Args:
        mask: (H, W) float32 in [0, 1].
        valid: (H, W) in [0, 1], the coverage of each pixel by the source.
    """
    return finished_mask(np.minimum(mask, valid))
