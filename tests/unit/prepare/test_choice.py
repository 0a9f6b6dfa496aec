import numpy as np
import pytest

from realface.core.boxes import Box
from realface.faces.detectors.face_detector import Face
from realface.prepare.choice import chosen_tracks
from realface.prepare.masks import MaskCut
from realface.prepare.record import TrackedFace


def person(track, side):
    """A face of a person, `side` pixels wide and high."""
    return TrackedFace(Face(Box(0, 0, side, side), 0.9, np.zeros((5, 2), dtype=np.float32)), track)


def cuts(*overlaps):
    return [MaskCut(np.zeros((2, 2), dtype=np.uint8), overlap, share=2 * overlap) for overlap in overlaps]


FACES = {3: [person(0, 30), person(1, 10)], 7: [person(0, 30), person(1, 10), person(2, 20)], 9: []}
MARKS_ONE = {3: cuts(0.0, 0.8), 7: cuts(0.1, 0.7, 0.0)}
TOUCHES_ANOTHER = {3: cuts(0.06, 0.8), 7: cuts(0.03, 0.7, 0.0)}  # shares of 0.12 and 0.06, 0.09 in the mean
TOUCHES_ONE_ALONE = {3: cuts(0.04, 0.0), 7: cuts(0.04, 0.0, 0.0)}
MARKS_ONE_FRAME = {3: cuts(0.0, 0.0), 7: cuts(0.0, 0.06, 0.0)}
MARKS_NOBODY = {3: cuts(0.0, 0.0), 7: cuts(0.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("rule", "marks", "expected"),
    [
        ("largest", None, [0]),
        ("largest", MARKS_ONE, [0]),
        ("mask", None, [0]),
        ("mask", MARKS_ONE, [1]),
        ("mask", MARKS_NOBODY, []),
        ("all", None, [0, 1, 2]),
        ("all", MARKS_ONE, [0, 1]),
        ("all", MARKS_NOBODY, []),
        ("all", TOUCHES_ANOTHER, [1]),
        ("mask", TOUCHES_ONE_ALONE, []),
        ("mask", MARKS_ONE_FRAME, [1]),
    ],
)
def test_who_is_kept(rule, marks, expected):
    assert chosen_tracks(FACES, rule, marks) == expected


@pytest.mark.parametrize("rule", ["largest", "mask", "all"])
def test_without_a_face_nobody_is_kept(rule):
    assert chosen_tracks({0: [], 4: []}, rule, None) == []
