"""Two public-domain portraits, aligned on one canvas: the faces of the sample study and of the benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realface.faces.detectors.face_detector import FaceDetector, largest_face

CANVAS = 304
"""Height and width of the canvas, in pixels."""
FACE_CENTER = np.array([152.0, 145.0], dtype=np.float32)
"""(x, y) of the middle of the face on the canvas, in pixels."""

_EYES_AND_MOUTH = np.array([(127, 120), (177, 120), (130, 169), (174, 169)], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class AlignedPortrait:
    """A portrait on the canvas.

    Attributes:
        name: `astronaut` or `hopper`.
        image: (CANVAS, CANVAS, 3) uint8 RGB.
        landmarks: (5, 2) float32 left eye, right eye, nose, left and right corner of the mouth, as the viewer sees
            them, in pixels of the canvas.
    """

    name: str
    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def load_portraits(face_detector: FaceDetector) -> tuple[AlignedPortrait, AlignedPortrait]:
    """Load scikit-image's astronaut (Eileen Collins) and matplotlib's Grace Hopper; both are in the public domain.

    Args:
        face_detector: the face detector whose landmarks align the portraits.
    """
    images = {"astronaut": _astronaut(), "hopper": _hopper()}
    found = face_detector.detect(list(images.values()))
    assert all(found), "the face detector misses a portrait"
    first, second = (
        _align(name, image, largest_face(faces).landmarks)
        for (name, image), faces in zip(images.items(), found, strict=True)
    )
    return first, second


def _astronaut() -> NDArray[np.uint8]:
    from skimage import data

    return np.asarray(data.astronaut(), dtype=np.uint8)  # type: ignore[no-untyped-call]


def _hopper() -> NDArray[np.uint8]:
    from matplotlib.cbook import get_sample_data

    with Image.open(str(get_sample_data("grace_hopper.jpg", asfileobj=False))) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _align(name: str, image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> AlignedPortrait:
    """Move, rotate and scale a portrait (H, W, 3), so that eyes and mouth are in their places on the canvas.

    Args:
        name: name of the portrait.
        image: (H, W, 3) uint8 RGB.
        landmarks: (5, 2), in pixels of the image.
    """
    matrix, _ = cv2.estimateAffinePartial2D(landmarks[[0, 1, 3, 4]], _EYES_AND_MOUTH, method=cv2.LMEDS)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if scale < 1:  # against aliasing
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 / scale), dtype=np.uint8)
    canvas = cv2.warpAffine(
        image, matrix, (CANVAS, CANVAS), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.uint8)
    moved = landmarks @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)
    return AlignedPortrait(name=name, image=canvas, landmarks=moved)
