"""The square in which a network sees every face in the same place, and the way back into the crop."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.mesh_regions import FACE_OVAL
from realface.data.pseudo_fakes.contract import Image, Mask
from realface.data.pseudo_fakes.points import Points, mean_shape
from realface.data.pseudo_fakes.warps import similarity

MARGIN = 1.2
"""Side of the frame as a multiple of the mean face's height: the whole face with some hair and background."""
EDGE = 0.06
"""Width of the soft edge inside the frame, as a share of its side."""

_ALIGNED = (1, 4, 33, 133, 362, 263, 61, 291, 152, 168, 234, 454)  # features, chin and sides, as swaps align


def face_frame(points: Points, side: int) -> NDArray[np.float64]:
    """Return the (2, 3) map from pixels of a crop to pixels of the frame, a similarity.

    Args:
        points: (468, 2) in pixels of the crop.
        side: height and width of the frame in pixels.
    """
    return similarity(points[list(_ALIGNED)], _template(side)[list(_ALIGNED)])


def framed_face(image: Image, frame: NDArray[np.float64], side: int) -> Image:
    """Return the face in the frame, (side, side, 3) RGB.

    Args:
        image: (H, W, 3) RGB, the crop.
        frame: (2, 3), as from `face_frame`.
        side: height and width of the frame in pixels.
    """
    shrinks = np.hypot(frame[0, 0], frame[0, 1]) < 1
    flags = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR  # warps take INTER_AREA for linear
    warped = cv2.warpAffine(image, frame, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, dtype=np.uint8)


def pasted_face(face: Image, frame: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[Image, Mask]:
    """Bring a face from the frame back into its crop.

    Args:
        face: (S, S, 3) RGB.
        frame: (2, 3), as from `face_frame`, with S.
        shape: (height, width, ...) of the crop.

    Returns:
        (H, W, 3) RGB and (H, W) in [0, 1]: 1 inside the frame, 0 outside, with a soft edge inside it.
    """
    back = cv2.invertAffineTransform(frame)
    size = (shape[1], shape[0])
    image = cv2.warpAffine(face, back, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    share = cv2.warpAffine(_soft_square(len(face)), back, size, flags=cv2.INTER_LINEAR)
    return np.asarray(image, dtype=np.uint8), np.asarray(share, dtype=np.float32)


def _template(side: int) -> Points:
    """Return the mean face, (468, 2) in pixels of the frame."""
    shape = mean_shape()[:, :2]
    oval = shape[list(FACE_OVAL)]
    low, high = oval.min(axis=0), oval.max(axis=0)
    scale = side / (MARGIN * float(high[1] - low[1]))
    return np.asarray((shape - (low + high) / 2) * scale + (side - 1) / 2, dtype=np.float32)


def _soft_square(side: int) -> Mask:
    ramp = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (EDGE * side)
    ramp = np.clip(ramp, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.outer(ramp, ramp), dtype=np.float32)
