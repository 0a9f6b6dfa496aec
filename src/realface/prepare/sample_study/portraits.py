"""The two portraits that the sample study is made of, brought to one size and cut from their backgrounds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realface.faces.finder import FaceFinder, largest_face
from realface.prepare.sample_study.face_points import Points, dense_points

CANVAS = 304
"""Height and width of the common picture, in pixels."""
FACE_CENTER = np.array([152.0, 145.0], dtype=np.float32)
"""Where the middle of the face comes to lie in it."""

_Ellipse = tuple[tuple[int, int], tuple[int, int]]

_EYES_AND_MOUTH = np.array([(127, 120), (177, 120), (130, 169), (174, 169)], dtype=np.float32)
# ellipses, center and half axes: beyond head and torso is background; inside the other two is the person
_HEAD_AND_TORSO = {
    "astronaut": (((152, 105), (90, 96)), ((152, 330), (182, 160))),
    "hopper": (((152, 112), (68, 108)), ((152, 330), (182, 138))),
}
_SURE_FACE = ((152, 145), (45, 65))
_SURE_TORSO = ((152, 325), (95, 75))


@dataclass(frozen=True, eq=False)
class Portrait:
    """A person on the common canvas.

    Attributes:
        name: `astronaut` or `hopper`.
        image: (CANVAS, CANVAS, 3) uint8 RGB.
        matte: (CANVAS, CANVAS) float32 in [0, 1], 1 on the person.
        points: (26, 2), the dense points of the face.
    """

    name: str
    image: NDArray[np.uint8]
    matte: NDArray[np.float32]
    points: Points


def load_portraits(finder: FaceFinder) -> tuple[Portrait, Portrait]:
    """Load scikit-image's astronaut (Eileen Collins) and matplotlib's Grace Hopper; both are in the public domain."""
    pictures = {"astronaut": _astronaut(), "hopper": _hopper()}
    found = finder.find(list(pictures.values()))
    assert all(found), "the face finder finds both portraits"
    first, second = (
        _on_canvas(name, image, largest_face(faces).landmarks)
        for (name, image), faces in zip(pictures.items(), found, strict=True)
    )
    return first, second


def _astronaut() -> NDArray[np.uint8]:
    from skimage import data

    return np.asarray(data.astronaut(), dtype=np.uint8)  # type: ignore[no-untyped-call]


def _hopper() -> NDArray[np.uint8]:
    from matplotlib.cbook import get_sample_data

    with Image.open(str(get_sample_data("grace_hopper.jpg", asfileobj=False))) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _on_canvas(name: str, image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> Portrait:
    matrix, _ = cv2.estimateAffinePartial2D(landmarks[[0, 1, 3, 4]], _EYES_AND_MOUTH, method=cv2.LMEDS)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if scale < 1:  # against aliasing
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 / scale), dtype=np.uint8)
    canvas = cv2.warpAffine(
        image, matrix, (CANVAS, CANVAS), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.uint8)
    placed = landmarks @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)
    return Portrait(name=name, image=canvas, matte=_matte(canvas, *_HEAD_AND_TORSO[name]), points=dense_points(placed))


def _matte(canvas: NDArray[np.uint8], head: _Ellipse, torso: _Ellipse) -> NDArray[np.float32]:
    """Cut the person out with GrabCut, started from where head and torso lie."""
    marks = np.full((CANVAS, CANVAS), cv2.GC_BGD, dtype=np.uint8)
    for (center, axes), mark in (
        (head, cv2.GC_PR_FGD),
        (torso, cv2.GC_PR_FGD),
        (_SURE_FACE, cv2.GC_FGD),
        (_SURE_TORSO, cv2.GC_FGD),
    ):
        cv2.ellipse(marks, center, axes, 0, 0, 360, mark, cv2.FILLED)
    cv2.setRNGSeed(0)  # GrabCut's clustering draws from OpenCV's only generator
    whole = (0, 0, CANVAS, CANVAS)  # not looked at: the marks are given
    cv2.grabCut(canvas, marks, whole, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    person = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(person)
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    soft = cv2.GaussianBlur((parts == largest).astype(np.float32), (0, 0), 1.5).astype(np.float32)
    inside = np.clip(soft * 2 - 1, 0, 1)  # drawn in a little, so that no old background shines through
    return np.asarray(inside, dtype=np.float32)
