from pathlib import Path

import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError
from realface.detection.face_source import FaceSource
from realface.faces.detectors.face_detector import Face
from realface.faces.detectors.registry import build_face_detector

NO_POINTS = np.full((5, 2), np.nan, np.float32)
TEMPLATE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]


def source(*, crops: bool = False, **spec: object) -> FaceSource:
    face_detector = None if crops else build_face_detector("yunet", file=Path("never read.onnx"))
    settings = {"face_detector": "yunet", "margin": 0.0, "size": 32} | spec
    return FaceSource(CropSpec.model_validate(settings), face_detector=face_detector, num_frames=1, batch_size=1)


def test_a_map_over_a_face_crop_covers_all_of_it() -> None:
    face = Face(Box(0, 0, 64, 32), 1.0, NO_POINTS)
    matrix = source(crops=True).map_matrix(face, (8, 16), image_shape=(64, 64))
    assert matrix == pytest.approx(np.array([[0.25, 0, -0.375], [0, 0.25, -0.375]]))  # 4 pixels for each of the map


def test_a_map_over_an_upright_crop_covers_the_square() -> None:
    face = Face(Box(10, 20, 42, 52), 1.0, NO_POINTS)
    matrix = source().map_matrix(face, (16, 16), image_shape=(64, 64))
    # the middle of the picture's pixels 10 and 11, or 20 and 21, is the center of the map's first
    assert matrix @ (10.5, 20.5, 1) == pytest.approx((0, 0))
    assert matrix @ (41.5, 51.5, 1) == pytest.approx((15.5, 15.5))


def test_a_map_over_an_enlarged_picture_lies_on_the_same_face() -> None:
    face = Face(Box(10, 20, 42, 52), 1.0, NO_POINTS)
    matrix = source().map_matrix(face, (16, 16), image_shape=(64, 64), scale=3)
    # edges stay where they are: pixel 10 begins at 10, so at 30, which is half a pixel before the center of pixel 30
    assert matrix @ (30 - 0.5, 60 - 0.5, 1) == pytest.approx((-0.5, -0.5))
    assert matrix @ (126 - 0.5, 156 - 0.5, 1) == pytest.approx((15.5, 15.5))


def test_a_map_over_a_turned_crop_is_turned_back() -> None:
    points = np.float32([[200 - y, 30 + x] for x, y in TEMPLATE])  # a quarter turn clockwise
    face = Face(Box(100, 60, 160, 110), 1.0, points)
    matrix = source(size=112, alignment="five-point").map_matrix(face, (112, 112), image_shape=(112, 112))
    assert matrix @ (*points[0], 1) == pytest.approx(TEMPLATE[0], abs=1e-3)
    assert matrix @ (200 - 92.2041, 30 + 70.7299, 1) == pytest.approx(TEMPLATE[4], abs=1e-3)


def test_a_face_without_landmarks_cannot_be_cut_out_aligned() -> None:
    face = Face(Box(10, 20, 42, 52), 1.0, NO_POINTS)
    with pytest.raises(CropSpecError, match="needs five landmarks of each face"):
        source(alignment="five-point").crop(np.zeros((64, 64, 3), np.uint8), face)
