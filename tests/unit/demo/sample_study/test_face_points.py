import numpy as np
import pytest

from realface.demo.sample_study.face_points import (
    EYES,
    MOUTH,
    OUTLINE,
    dense_points,
    face_height,
    inner_face,
    mirrored_points,
)

FIVE = np.array([(100, 100), (150, 100), (125, 130), (105, 150), (145, 150)], dtype=np.float32)


def test_the_five_points_are_among_the_dense_ones():
    points = dense_points(FIVE)
    assert points.shape == (26, 2)
    assert points[EYES].tolist() == FIVE[:2].tolist()
    assert points[MOUTH][:2].tolist() == FIVE[3:].tolist()


def test_the_chin_lies_below_the_mouth_by_the_layouts_share():
    # eyes to mouth 50 pixels; the layout has the chin at 1.8 of it
    assert dense_points(FIVE)[OUTLINE][5] == pytest.approx([125, 190])


def test_the_height_is_taken_from_brows_to_chin():
    # brows at (-0.32 - 0.48 - 0.38) / 3 = -0.393, chin at 1.8, of 50 pixels
    assert face_height(dense_points(FIVE)) == pytest.approx(2.1933 * 50, rel=1e-3)


def test_a_tilted_face_has_tilted_points():
    turned = FIVE[:, ::-1] * (1, -1)  # a quarter turn
    assert dense_points(turned)[OUTLINE][5] == pytest.approx([190, -125])


def test_mirrored_points_keep_the_layouts_order():
    points = dense_points(FIVE)
    mirrored = mirrored_points(points, width=251)  # the middle of the face is the middle of the picture
    assert mirrored == pytest.approx(points, abs=1e-3)


def test_the_inner_face_lies_inside_the_outline():
    points = dense_points(FIVE)
    polygon = inner_face(points)
    assert points[OUTLINE][:, 0].min() < polygon[:, 0].min()
    assert polygon[:, 1].max() < points[OUTLINE][5, 1]
