"""What a face detector is, whatever network it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box

NO_FACE = "no face found"
"""The reason by which pictures and videos without a face are counted, whatever the command."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one picture.

    Attributes:
        box: in source pixels; may reach beyond the picture.
        score: the face detector's confidence, in [0, 1].
        landmarks: (5, 2) float32, x and y in source pixels of the left eye, the right eye, the nose and the left and
            right corner of the mouth, left and right as the viewer sees them.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32]


class FaceDetector(Protocol):
    """Finds faces in pictures; one object may be used for many calls, in one process."""

    @property
    def name(self) -> str:
        """The word that stands for it in a crop spec."""

    @property
    def version(self) -> str:
        """What decides its answers besides the picture: package and settings."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Find every face.

        Args:
            images: each (H, W, 3) RGB; sizes may differ.

        Returns:
            For each picture its faces, the surest first; an empty list where there is none. Which pictures come
            together changes a box by no more than the rounding of float32.
        """


def largest_face(faces: Sequence[Face]) -> Face:
    """The face with the largest box; `faces` must not be empty."""
    return max(faces, key=lambda face: face.box.area)


def as_landmarks(points: Any) -> NDArray[np.float32]:
    """Five (x, y) points as the array that `Face` holds."""
    return np.asarray(points, dtype=np.float32).reshape(5, 2)
