import cv2
import numpy as np
import pytest

from realface.demo.sample_study.warping import bump, bump_map, identity_map, moved_points, thin_plate_map, warp


def point(*places):
    return np.array(places, dtype=np.float32)


def dot_picture(x, y):
    picture = np.zeros((64, 96), dtype=np.float32)
    picture[y, x] = 1
    return cv2.GaussianBlur(picture, (0, 0), 1.5)


def test_the_identity_gives_the_picture_back():
    picture = np.random.default_rng(0).integers(0, 256, size=(20, 30, 3), dtype=np.uint8)
    assert np.array_equal(warp(picture, identity_map(20, 30)), picture)


def test_a_bump_is_one_at_its_center_and_falls_as_a_gaussian():
    values = bump(np.array([10, 5]), 4.0, height=20, width=30)
    assert values[5, 10] == 1
    assert values[5, 14] == pytest.approx(np.exp(-0.5))


def test_a_bump_map_moves_what_lies_at_its_center():
    field = bump_map(point((40, 30)), point((5, -3)), np.array([15.0]), height=64, width=96)
    [moved] = moved_points(point((40, 30)), field)
    shown = warp(dot_picture(40, 30), field)
    y, x = np.unravel_index(shown.argmax(), shown.shape)
    assert moved == pytest.approx([x, y], abs=1)
    assert x > 42
    assert y < 29


def test_a_thin_plate_shows_at_each_point_what_lies_at_its_partner():
    at = point((10, 10), (80, 12), (15, 50), (70, 55), (40, 30))
    read = at + point((3, 1), (-2, 2), (1, -4), (0, 0), (2, 2))
    field = thin_plate_map(at, read, height=64, width=96)
    shown = np.array([field[int(y), int(x)] for x, y in at])
    assert shown == pytest.approx(read, abs=0.5)


def test_points_move_with_the_picture():
    across = identity_map(64, 96) + np.float32(4)
    assert moved_points(point((20, 20)), across)[0] == pytest.approx([16, 16], abs=1e-3)
