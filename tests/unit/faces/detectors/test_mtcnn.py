import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from realface.core.boxes import Box
from realface.faces.detectors.face_detector import largest_face
from realface.faces.detectors.registry import build_face_detector


@pytest.fixture(scope="module")
def face_detector():
    return build_face_detector("mtcnn")


@pytest.fixture(scope="module")
def portrait():
    """Grace Hopper, 512 x 600 pixels; the box is where her face is by eye."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return np.asarray(Image.open(file).convert("RGB"))


def test_the_portraits_one_face_is_found_where_it_is(face_detector, portrait):
    (faces,) = face_detector.detect([portrait])
    assert len(faces) == 1
    assert faces[0].box.overlap(Box(170, 110, 354, 328)) > 0.6
    assert faces[0].score > 0.99


def test_landmarks_are_eyes_nose_and_mouth_as_the_viewer_sees_them(face_detector, portrait):
    left_eye, right_eye, nose, mouth_left, mouth_right = face_detector.detect([portrait])[0][0].landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_pictures_of_different_sizes_come_back_in_their_order(face_detector, portrait):
    blank = np.zeros((120, 90, 3), dtype=np.uint8)
    answers = face_detector.detect([blank, portrait, blank, portrait[:, ::-1].copy()])
    assert [len(faces) for faces in answers] == [0, 1, 0, 1]


def test_a_face_is_the_same_alone_and_in_company(face_detector, portrait):
    alone = face_detector.detect([portrait])[0][0]
    together = face_detector.detect([portrait[:, ::-1].copy(), portrait])[1][0]
    assert together.box == pytest.approx(alone.box, abs=2e-4)  # pixels, of boxes near 350


def test_a_picture_too_small_for_a_face_has_none(face_detector):
    assert face_detector.detect([np.zeros((8, 8, 3), dtype=np.uint8), np.zeros((1, 300, 3), dtype=np.uint8)]) == [
        [],
        [],
    ]


def test_a_huge_pictures_boxes_are_in_its_own_pixels(face_detector, portrait):
    small = largest_face(face_detector.detect([portrait])[0]).box
    huge = np.repeat(np.repeat(portrait, 5, axis=0), 5, axis=1)  # 3,030 pixels high: shrunk inside
    assert largest_face(face_detector.detect([huge])[0]).box.overlap(small.scaled(5)) > 0.8


def test_no_pictures_give_no_answers(face_detector):
    assert face_detector.detect([]) == []
