import pytest

from realface.faces.detectors.registry import default_crop_spec, face_detector_for
from realface.faces.portraits import CANVAS, FACE_CENTER, load_portraits


def test_both_portraits_have_eyes_and_mouth_in_the_same_places() -> None:
    first, second = load_portraits(face_detector_for(default_crop_spec(), device="cpu"))
    assert (first.name, second.name) == ("astronaut", "hopper")
    assert first.image.shape == second.image.shape == (CANVAS, CANVAS, 3)
    assert first.landmarks[[0, 1, 3, 4]] == pytest.approx(second.landmarks[[0, 1, 3, 4]], abs=6)
    assert first.landmarks.mean(axis=0) == pytest.approx(FACE_CENTER, abs=6)
