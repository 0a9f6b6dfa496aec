"""Similarity, dense alignment and elastic warps."""

import numpy as np
import pytest

from realface.core.mesh_regions import INNER_LIPS, LEFT_EYE
from realface.data.pseudo_fakes.points import dense_points
from realface.data.pseudo_fakes.warps import draw_shifts, elastic_map, remapped, similarity, warp_affine, warp_dense

FIVE = np.array([(70, 80), (130, 80), (100, 120), (78, 150), (122, 150)], dtype=np.float32)


def dot_at(place, side=200):
    image = np.zeros((side, side, 3), dtype=np.uint8)
    x, y = np.round(place).astype(int)
    image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image


def center_of(image):
    weight = image[..., 0].astype(float)
    return (
        np.array([(weight.sum(axis=axis) * np.arange(weight.shape[1 - axis])).sum() for axis in (0, 1)]) / weight.sum()
    )


def test_a_similarity_recovers_turn_scale_and_shift():
    turn = 1.3 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    matrix = similarity(FIVE, (FIVE @ turn.T + (5, -9)).astype(np.float32))
    assert np.allclose(matrix, np.column_stack([turn, (5, -9)]), atol=1e-4)


def test_points_in_one_place_give_a_finite_similarity():
    assert np.isfinite(similarity(np.ones((5, 2), np.float32), FIVE)).all()


def test_an_affine_warp_marks_where_the_source_has_no_pixels():
    image = np.full((100, 100, 3), 50, dtype=np.uint8)
    warped, valid = warp_affine(image, np.array([[1.0, 0, 60], [0, 1, 0]]), (100, 100))
    assert warped.shape == (100, 100, 3)
    assert valid[50, 20] == 0
    assert valid[50, 80] == 1


def test_a_dense_warp_brings_features_to_their_place():
    source, target = dense_points(FIVE), dense_points(FIVE)
    target[list(LEFT_EYE)] += (6, 4)
    warped, _ = warp_dense(dot_at(source[list(LEFT_EYE)].mean(axis=0)), source, target, (200, 200), stiffness=0.01)
    assert center_of(warped) == pytest.approx(target[list(LEFT_EYE)].mean(axis=0), abs=1.5)


def test_a_dense_warp_between_equal_meshes_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, size=(200, 200, 3), dtype=np.uint8)
    points = dense_points(FIVE)
    warped, _ = warp_dense(image, points, points, image.shape)
    assert np.abs(warped.astype(int) - image).mean() < 0.5


def test_a_dense_warp_takes_other_control_points():
    source = dense_points(FIVE)
    target = source.copy()
    target[list(INNER_LIPS)] += (0, 8)
    place = source[list(INNER_LIPS)].mean(axis=0)
    controls = (*INNER_LIPS, 10, 234, 454, 152, 1)
    warped, _ = warp_dense(dot_at(place), source, target, (200, 200), controls=controls, stiffness=0.0001)
    assert center_of(warped)[1] - place[1] == pytest.approx(8, abs=1.5)


def test_elastic_shifts_have_the_stated_size():
    columns, rows = elastic_map((100, 100), 3.0, np.random.default_rng(0).normal(size=(6, 6, 2)))
    identity = np.meshgrid(np.arange(100), np.arange(100))
    shifts = np.stack([columns - identity[0], rows - identity[1]])
    assert 1.5 < shifts.std() < 4


def test_shifts_are_drawn_at_four_to_seven_places():
    sizes = {draw_shifts(np.random.default_rng(seed)).shape[0] for seed in range(60)}
    assert sizes == {4, 5, 6, 7}


def test_an_elastic_and_affine_warp_in_one_step_moves_the_image():
    columns, rows = elastic_map((200, 200), 0.0, np.zeros((4, 4, 2)))
    moved = remapped(dot_at((90, 90)), columns, rows, np.array([[1.0, 0, 7], [0, 1, -5]]))
    assert center_of(moved) == pytest.approx((97, 85), abs=0.2)
