"""The one cropper: training, evaluation and detection all cut faces out here."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec


def crop_box(box: Box, spec: CropSpec) -> Box:
    """The square of source pixels that becomes the crop, on whole pixels; it may reach beyond the picture."""
    square = box.squared(spec.margin)
    side = max(1, round(square.width))
    x0, y0 = round(square.x0), round(square.y0)
    return Box(x0, y0, x0 + side, y0 + side)


def crop_face(image: NDArray[np.uint8], box: Box, spec: CropSpec) -> NDArray[np.uint8]:
    """Cut a face out of a picture.

    What lies beyond the picture repeats its border: black there would tell a network where a face stood in the frame.

    Args:
        image: (H, W, 3) RGB.
        box: the face, in pixels of `image`.
        spec: margin and size.

    Returns:
        (size, size, 3) RGB; shrunk by averaging areas, enlarged linearly.
    """
    height, width = image.shape[:2]
    square = crop_box(box, spec)
    x0, y0, x1, y1 = (int(value) for value in square)
    columns = np.clip(np.arange(x0, x1), 0, width - 1)
    rows = np.clip(np.arange(y0, y1), 0, height - 1)
    inside = min(x0, y0) >= 0 and x1 <= width and y1 <= height
    cut = image[y0:y1, x0:x1] if inside else image[rows[:, None], columns]
    interpolation = cv2.INTER_AREA if x1 - x0 > spec.size else cv2.INTER_LINEAR
    resized = cv2.resize(cut, (spec.size, spec.size), interpolation=interpolation)
    return np.ascontiguousarray(resized, dtype=np.uint8)
