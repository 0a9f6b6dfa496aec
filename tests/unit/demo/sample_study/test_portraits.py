import numpy as np
import pytest

from realface.demo.sample_study.face_points import EYES
from realface.demo.sample_study.portraits import load_study_portraits
from realface.faces.portraits import CANVAS


def test_both_portraits_have_their_eyes_at_one_place(portraits):
    first, second = (portrait.points[EYES] for portrait in portraits)
    assert first == pytest.approx(second, abs=4)


def test_the_matte_holds_the_face_and_not_the_corners_above(portraits):
    for portrait in portraits:
        assert portrait.image.shape == (CANVAS, CANVAS, 3)
        assert portrait.matte[100:190, 130:175].min() == 1
        assert portrait.matte[:60, :40].max() == portrait.matte[:60, -40:].max() == 0
        assert 0.2 < portrait.matte.mean() < 0.7


def test_the_same_portraits_come_twice(portraits, known_faces):
    for once, again in zip(portraits, load_study_portraits(known_faces), strict=True):
        assert np.array_equal(once.image, again.image)
        assert np.array_equal(once.matte, again.matte)
