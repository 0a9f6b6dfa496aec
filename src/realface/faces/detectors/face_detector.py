"""Define the interface of face detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box

NO_FACE = "no face found"
"""Reason for which all commands count images and videos without a face."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one image.

    Attributes:
        box: in source pixels; may reach beyond the image.
        score: the face detector's confidence, in [0, 1].
        landmarks: (5, 2) float32, x and y in source pixels of the left eye, the right eye, the nose and the left and
            right corner of the mouth, left and right as the viewer sees them.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32]


class FaceDetector(Protocol):
    """Detects faces in images; one object may be used for many calls, in one process."""

    @property
    def name(self) -> str:
        """Name of the face detector in a crop spec."""

    @property
    def version(self) -> str:
        """Package and settings, which together with the image determine the result."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Detect every face.

        Args:
            images: each (H, W, 3) RGB; sizes may differ.

        Returns:
            For each image its faces by falling confidence; an empty list for an image without faces. The composition of
            the batch changes a box only by the rounding of float32.
        """


def largest_face(faces: Sequence[Face]) -> Face:
    """Return the face with the largest box; `faces` must not be empty."""
    return max(faces, key=lambda face: face.box.area)


def as_landmarks(points: Any) -> NDArray[np.float32]:
    """Five (x, y) points as the array that `Face` holds."""
    return np.asarray(points, dtype=np.float32).reshape(5, 2)
