"""Portraits without a face detector, and small studies that are made once."""

import numpy as np
import pytest

from realface.core.boxes import Box
from realface.demo.sample_study.footage import draw_take, record
from realface.demo.sample_study.portraits import load_study_portraits
from realface.faces.detectors.face_detector import Face

LANDMARKS = {  # by the picture's height
    512: [(205, 102), (247, 104), (225, 129), (202, 139), (245, 142)],  # scikit-image's astronaut
    600: [(222, 192), (310, 186), (269, 239), (233, 280), (306, 276)],  # matplotlib's Grace Hopper
}


class KnownFaces:
    """A face detector that has looked at the two portraits before."""

    name = version = "known"

    def detect(self, images):
        return [[Face(Box(0, 0, 1, 1), 1.0, np.array(LANDMARKS[len(image)], dtype=np.float32))] for image in images]


@pytest.fixture(scope="session")
def known_faces():
    return KnownFaces()


@pytest.fixture(scope="session")
def portraits(known_faces):
    return load_study_portraits(known_faces)


@pytest.fixture(scope="session")
def footage(portraits):
    return record(draw_take(portraits[0], "train", 2, np.random.default_rng(0)), np.random.default_rng(1))


@pytest.fixture(scope="session")
def other_take(portraits):
    return draw_take(portraits[1], "train", 2, np.random.default_rng(2))
