"""Masks, colour transfer and blending, to put a generated face into a frame."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.face_points import Points

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Mask = NDArray[np.float32]
"""(H, W) in [0, 1]: the share of the generated face."""

_SHARPENING = 1.0  # of a generated face, so that the whole frame of a fake is as sharp as that of a real video


def polygon_mask(polygon: Points, *, softness: float, height: int, width: int) -> Mask:
    """Return a mask that is 1 inside the hull of a polygon and falls to 0 at its edge.

    Args:
        polygon: (P, 2) x and y, in pixels.
        softness: the edge is about twice as wide, in pixels.
        height: height of the mask, in pixels.
        width: width of the mask, in pixels.
    """
    filled = np.zeros((height, width), dtype=np.float32)
    cv2.fillConvexPoly(filled, np.round(cv2.convexHull(polygon)).astype(np.int32), 1.0)
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), softness), dtype=np.float32)


def transferred_colours(image: Image, reference: Image, where: Mask) -> Image:
    """Return an image with the reference's mean and deviation of colour inside a mask, in L*a*b*.

    Args:
        image: (H, W, 3) uint8 RGB.
        reference: (H, W, 3) uint8 RGB.
        where: (H, W) in [0, 1]; values above 0.5 are inside.

    Source: Reinhard et al. 2001, "Color Transfer between Images".
    """
    inside = where > 0.5
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    wanted = cv2.cvtColor(reference, cv2.COLOR_RGB2LAB)[inside].astype(np.float32)
    spread = np.clip(wanted.std(axis=0) / np.maximum(lab[inside].std(axis=0), 1.0), 0.45, 1.25)
    moved = (lab - lab[inside].mean(axis=0)) * spread + wanted.mean(axis=0)
    return np.asarray(cv2.cvtColor(np.clip(moved, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB), dtype=np.uint8)


def mixed(face: NDArray[Any], frame: Image, mask: Mask) -> Image:
    """Return the face alpha-blended into the frame.

    Args:
        face: (H, W, 3) RGB.
        frame: (H, W, 3) uint8 RGB.
        mask: (H, W) in [0, 1], share of the face.
    """
    share = mask[..., None]
    blended: NDArray[Any] = face * share + frame * (1 - share)
    return np.clip(blended + np.float32(0.5), 0, 255).astype(np.uint8)


def poisson_blended(face: Image, frame: Image, mask: Mask) -> Image:
    """Blend a face into a frame. It keeps its gradients and takes the frame's colours at the outline of the mask.

    Args:
        face: (H, W, 3) uint8 RGB.
        frame: (H, W, 3) uint8 RGB.
        mask: (H, W) in [0, 1]; values above 0.5 are inside.

    Source: Perez et al. 2003, "Poisson Image Editing". The mask must stay clear of the frame's border.
    """
    inside = np.where(mask > 0.5, 255, 0).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(inside)
    center = (x + width // 2, y + height // 2)  # OpenCV centres the mask's rectangle there, so the face does not move
    return np.asarray(cv2.seamlessClone(face, frame, inside, center, cv2.NORMAL_CLONE), dtype=np.uint8)


def generated(image: NDArray[np.floating], texture: NDArray[np.float32]) -> Image:
    """Return an image as a generator with a smaller output draws it: coarse, with added texture, then sharpened.

    Args:
        image: (H, W, 3) in grey levels.
        texture: (h, w, 1), added to the smaller image, in grey levels.
    """
    height, width = image.shape[:2]
    small = texture.shape[1::-1]
    drawn = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32) + texture
    enlarged = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    sharpened = enlarged + np.float32(_SHARPENING) * (enlarged - cv2.GaussianBlur(enlarged, (0, 0), 1.0))
    return np.asarray(np.clip(sharpened, 0, 255), dtype=np.uint8)
