from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib import get_data_path

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.faces.cropper import crop_face
from realface.faces.detectors.face_detector import Face
from realface.faces.sharpness import sharpness
from realface.media.images import read_image

FACE = Box(190, 90, 330, 260)  # of the portrait below


@pytest.fixture(scope="module")
def portrait():
    """Grace Hopper, in the public domain."""
    return read_image(Path(get_data_path(), "sample_data", "grace_hopper.jpg"))


def of_face(image, *, scale=1.0):
    spec = CropSpec(size=256, margin=0.3)
    face = Face(FACE.scaled(scale), 1.0, np.full((5, 2), np.nan, np.float32))
    return sharpness(crop_face(image, face, spec), margin=spec.margin)


def test_the_more_a_face_is_blurred_the_less_sharp_it_is(portrait):
    measured = [of_face(cv2.GaussianBlur(portrait, None, sigma)) for sigma in (0.5, 1.0, 2.0, 4.0)]
    assert of_face(portrait) > measured[0] > measured[1] > measured[2] > measured[3] > 0


def test_a_face_that_was_scaled_up_is_less_sharp(portrait):
    height, width = portrait.shape[:2]
    measured = [of_face(portrait)]
    for factor in (2, 4, 8):
        small = cv2.resize(portrait, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
        measured.append(of_face(small, scale=1 / factor))
    assert measured == sorted(measured, reverse=True)
    assert measured[0] > 4 * measured[3]


def test_brightness_and_contrast_do_not_change_it(portrait):
    darker = np.round(portrait * 0.5 + 20).astype(np.uint8)
    assert of_face(darker) == pytest.approx(of_face(portrait), rel=0.05)


def test_only_the_face_is_measured():
    noise = np.random.default_rng(0).integers(0, 255, (260, 260, 3), dtype=np.uint8)
    around = noise.copy()
    around[30:230, 30:230] = 128
    assert sharpness(around, margin=0.3) == 0.0
    assert sharpness(around, margin=0.0) > 1.0


def test_white_noise_has_the_sum_of_the_squared_weights():
    grey = np.random.default_rng(0).integers(0, 255, (128, 128, 1), dtype=np.uint8)
    assert sharpness(np.repeat(grey, 3, axis=2), margin=0.0) == pytest.approx(20, rel=0.05)


def test_a_crop_of_one_pixel_has_none():
    assert sharpness(np.zeros((1, 1, 3), np.uint8), margin=0.3) == 0.0
