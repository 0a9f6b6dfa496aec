"""Dense points of a face, estimated from the five landmarks of a face detector.

They are the points of an average frontal face. The five landmarks determine its position, size, tilt and length. This
is accurate enough for the warps and masks of the sample study, but it is not a landmark detector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""(P, 2) x and y in pixels."""

OUTLINE = slice(0, 11)
"""From the viewer's left temple along the jaw to the right one; 5 is the chin."""
BROWS = slice(11, 17)
"""Left brow from outside to inside, then the right one from inside to outside."""
EYES = slice(17, 19)
NOSE = slice(19, 22)
"""Tip, left wing, right wing."""
MOUTH = slice(22, 26)
"""Left corner, right corner, upper lip, lower lip."""

_CHIN = 5
_NOSE_TIP = 19

# x in distances between the eyes, y in distances from eyes to mouth; the origin is midway between the eyes
_AVERAGE_FACE = np.array(
    [
        *[(-1.00, 0.00), (-0.98, 0.40), (-0.90, 0.85), (-0.72, 1.30), (-0.40, 1.68), (0.00, 1.80)],
        *[(0.40, 1.68), (0.72, 1.30), (0.90, 0.85), (0.98, 0.40), (1.00, 0.00)],
        *[(-0.82, -0.32), (-0.52, -0.48), (-0.20, -0.38), (0.20, -0.38), (0.52, -0.48), (0.82, -0.32)],
        *[(-0.50, 0.00), (0.50, 0.00)],
        *[(0.00, 0.55), (-0.27, 0.62), (0.27, 0.62)],
        *[(-0.44, 1.00), (0.44, 1.00), (0.00, 0.87), (0.00, 1.18)],
    ],
    dtype=np.float32,
)
_MIRRORED = np.array([*range(10, -1, -1), *range(16, 10, -1), 18, 17, 19, 21, 20, 23, 22, 24, 25])


def dense_points(landmarks: NDArray[np.floating]) -> Points:
    """Return the dense points of a face.

    Args:
        landmarks: (5, 2) left eye, right eye, nose, left and right corner of the mouth, as the viewer sees them.

    Returns:
        (26, 2), in the same pixels.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = np.asarray(landmarks, dtype=np.float32)
    middle = (left_eye + right_eye) / 2
    across = right_eye - left_eye
    down = (left_mouth + right_mouth) / 2 - middle
    points: Points = middle + _AVERAGE_FACE[:, :1] * across + _AVERAGE_FACE[:, 1:] * down
    points[NOSE] += nose - points[_NOSE_TIP]
    points[EYES] = left_eye, right_eye
    points[MOUTH][:2] = left_mouth, right_mouth
    return points


def mirrored_points(points: Points, *, width: int) -> Points:
    """Return the points of the mirrored image, in the same order of parts.

    Args:
        points: (26, 2), in pixels.
        width: width of the image, in pixels.
    """
    mirrored: Points = points[_MIRRORED]
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored


def inner_face(points: Points) -> Points:
    """Return the polygon (17, 2) around the recognisable part of a face, from the brows to just above the chin.

    Args:
        points: (26, 2), in pixels.
    """
    outline, brows = points[OUTLINE], points[BROWS]
    center = points[[17, 18, 22, 23]].mean(axis=0)
    jaw = center + (outline - center) * np.float32(0.84)
    lifted = brows + (points[17] + points[18] - points[22] - points[23]) * np.float32(0.04)
    return np.concatenate([jaw, lifted[::-1]]).astype(np.float32)


def face_height(points: Points) -> float:
    """Return the distance from the middle of the brows to the chin, in pixels.

    Args:
        points: (26, 2), in pixels.
    """
    return float(np.linalg.norm(points[BROWS].mean(axis=0) - points[_CHIN]))
