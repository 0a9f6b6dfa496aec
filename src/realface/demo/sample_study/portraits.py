"""The two portraits of the sample study, cut out of their backgrounds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.face_points import Points, dense_points
from realface.faces.detectors.face_detector import FaceDetector
from realface.faces.portraits import CANVAS, AlignedPortrait, load_portraits

_Ellipse = tuple[tuple[int, int], tuple[int, int]]

# ellipses (centre, half axes): everything outside head and torso is background, everything inside the two sure ellipses
# is the person
_HEAD_AND_TORSO = {
    "astronaut": (((152, 105), (90, 96)), ((152, 330), (182, 160))),
    "hopper": (((152, 112), (68, 108)), ((152, 330), (182, 138))),
}
_SURE_FACE = ((152, 145), (45, 65))
_SURE_TORSO = ((152, 325), (95, 75))


@dataclass(frozen=True, eq=False)
class Portrait:
    """A person on the canvas, with a matte.

    Attributes:
        name: `astronaut` or `hopper`.
        image: (CANVAS, CANVAS, 3) uint8 RGB.
        matte: (CANVAS, CANVAS) float32 in [0, 1], 1 on the person.
        points: (26, 2), the dense points of the face, in pixels.
    """

    name: str
    image: NDArray[np.uint8]
    matte: NDArray[np.float32]
    points: Points


def load_study_portraits(face_detector: FaceDetector) -> tuple[Portrait, Portrait]:
    """Load the two portraits and cut them out.

    Args:
        face_detector: the face detector whose landmarks align the portraits.
    """
    first, second = load_portraits(face_detector)
    return _cut_out(first), _cut_out(second)


def _cut_out(portrait: AlignedPortrait) -> Portrait:
    return Portrait(
        name=portrait.name,
        image=portrait.image,
        matte=_matte(portrait.image, *_HEAD_AND_TORSO[portrait.name]),
        points=dense_points(portrait.landmarks),
    )


def _matte(canvas: NDArray[np.uint8], head: _Ellipse, torso: _Ellipse) -> NDArray[np.float32]:
    """Return the matte (CANVAS, CANVAS) of an image (CANVAS, CANVAS, 3), from GrabCut started with two ellipses."""
    marks = np.full((CANVAS, CANVAS), cv2.GC_BGD, dtype=np.uint8)
    for (center, axes), mark in (
        (head, cv2.GC_PR_FGD),
        (torso, cv2.GC_PR_FGD),
        (_SURE_FACE, cv2.GC_FGD),
        (_SURE_TORSO, cv2.GC_FGD),
    ):
        cv2.ellipse(marks, center, axes, 0, 0, 360, mark, cv2.FILLED)
    cv2.setRNGSeed(0)  # GrabCut's clustering uses OpenCV's only random generator
    whole = (0, 0, CANVAS, CANVAS)  # ignored, because the marks are given
    cv2.grabCut(canvas, marks, whole, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    person = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(person)
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    soft = cv2.GaussianBlur((parts == largest).astype(np.float32), (0, 0), 1.5).astype(np.float32)
    inside = np.clip(soft * 2 - 1, 0, 1)  # shrunk a little, so that no old background shows at the edge
    return np.asarray(inside, dtype=np.float32)
