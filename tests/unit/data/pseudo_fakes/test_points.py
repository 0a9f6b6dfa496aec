"""Dense points from five landmarks, mirroring and axes."""

import numpy as np
import pytest

from realface.core.mesh_regions import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from realface.data.pseudo_fakes.points import (
    dense_points,
    face_axes,
    face_side,
    five_of,
    mean_shape,
    mirror_indices,
    mirrored_points,
    yaw,
)

FRONTAL = np.array([(70, 80), (130, 80), (100, 120), (78, 150), (122, 150)], dtype=np.float32)


def test_five_landmarks_become_a_mesh_around_them():
    points = dense_points(FRONTAL)
    assert points.shape == (468, 2)
    assert np.linalg.norm(five_of(points) - FRONTAL, axis=1).max() < 0.12 * 60
    oval = points[list(FACE_OVAL)]
    assert np.all(oval.min(axis=0) < FRONTAL.min(axis=0))
    assert np.all(oval.max(axis=0) > FRONTAL.max(axis=0))


def test_a_fitted_mesh_follows_place_size_and_tilt():
    turn = np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    moved = FRONTAL @ turn * 1.7 + (30, -12)
    assert np.allclose(dense_points(moved), dense_points(FRONTAL) @ turn * 1.7 + (30, -12), atol=0.05)


def test_a_nose_to_the_right_turns_the_fitted_mesh():
    turned = FRONTAL.copy()
    turned[2, 0] += 15
    assert yaw(dense_points(turned)) > 0.1 > abs(yaw(dense_points(FRONTAL)))


def test_mirror_indices_come_in_pairs_and_exchange_the_eyes():
    mirror = mirror_indices()
    assert np.array_equal(mirror[mirror], np.arange(468))
    assert set(mirror[list(LEFT_EYE)]) == set(RIGHT_EYE)
    assert np.allclose(mean_shape()[mirror] * (-1, 1, 1), mean_shape(), atol=1e-3)


def test_mirroring_twice_gives_the_points_back():
    points = dense_points(FRONTAL)
    once = mirrored_points(points, 200)
    assert once[list(LEFT_EYE), 0].mean() == pytest.approx(199 - points[list(RIGHT_EYE), 0].mean())
    assert np.allclose(mirrored_points(once, 200), points)
    assert yaw(once) == pytest.approx(-yaw(points), abs=1e-3)


def test_axes_are_half_the_eye_distance_and_the_way_to_the_mouth():
    origin, across, down = face_axes(dense_points(FRONTAL))
    assert origin == pytest.approx((100, 80), abs=4)
    assert across == pytest.approx((30, 0), abs=4)
    assert down == pytest.approx((0, 70), abs=8)


def test_the_size_of_a_face_is_never_zero():
    assert face_side(np.zeros((468, 2), dtype=np.float32)) == 1
