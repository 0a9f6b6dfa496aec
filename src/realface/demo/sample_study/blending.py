"""Putting a made face into a frame: masks, colour transfer, blending."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.face_points import Points

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Mask = NDArray[np.float32]
"""(H, W) in [0, 1]: the share of the made face."""

_SHARPENING = 1.0  # of a made face, as forgers do: so a fake's whole frame is as sharp as a real's


def polygon_mask(polygon: Points, *, softness: float, height: int, width: int) -> Mask:
    """1 inside the polygon's hull, falling to 0 over about two `softness` in pixels."""
    filled = np.zeros((height, width), dtype=np.float32)
    cv2.fillConvexPoly(filled, np.round(cv2.convexHull(polygon)).astype(np.int32), 1.0)
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), softness), dtype=np.float32)


def transferred_colours(image: Image, reference: Image, where: Mask) -> Image:
    """Give a picture the reference's mean and spread of colour inside a mask, in L*a*b*.

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
    """Blend so that the face keeps its gradients and takes the frame's colours at the mask's outline.

    Source: Perez et al. 2003, "Poisson Image Editing". The mask must stay clear of the frame's border.
    """
    inside = np.where(mask > 0.5, 255, 0).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(inside)
    center = (x + width // 2, y + height // 2)  # where OpenCV puts the mask's rectangle; so it stays in place
    return np.asarray(cv2.seamlessClone(face, frame, inside, center, cv2.NORMAL_CLONE), dtype=np.uint8)


def generated(image: NDArray[np.floating], texture: NDArray[np.float32]) -> Image:
    """A picture as a generator of a smaller size draws it: coarse, with a texture of its own, sharpened after.

    Args:
        image: (H, W, 3) in grey levels.
        texture: (h, w, 1), what the generator adds in its own, smaller picture, in grey levels.
    """
    height, width = image.shape[:2]
    small = texture.shape[1::-1]
    drawn = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32) + texture
    enlarged = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    sharpened = enlarged + np.float32(_SHARPENING) * (enlarged - cv2.GaussianBlur(enlarged, (0, 0), 1.0))
    return np.asarray(np.clip(sharpened, 0, 255), dtype=np.uint8)
