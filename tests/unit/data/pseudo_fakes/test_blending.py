"""Blending and colour transfer."""

import numpy as np
import pytest

from realface.data.pseudo_fakes.blending import alpha_blend, poisson_blend, smallest_share, transfer_colour


def flat(*colour, side=60):
    return np.full((side, side, 3), colour, dtype=np.uint8)


def square_mask(value=1.0, side=60):
    mask = np.zeros((side, side), dtype=np.float32)
    mask[20:40, 20:40] = value
    return mask


def test_an_alpha_blend_is_a_weighted_mean_inside_only():
    blended = alpha_blend(flat(200, 100, 0), flat(100, 100, 100), square_mask(0.25))
    assert blended[30, 30].tolist() == [125, 100, 75]
    assert blended[10, 10].tolist() == [100, 100, 100]


def test_an_empty_mask_gives_the_target_back():
    blended = alpha_blend(flat(200, 0, 0), flat(1, 2, 3), np.zeros((60, 60), dtype=np.float32))
    assert np.array_equal(blended, flat(1, 2, 3))


def test_a_poisson_blend_takes_detail_but_not_colour():
    source = flat(180, 60, 60)
    source[28:32, 28:32] = (220, 100, 100)
    blended, mask = poisson_blend(source, flat(100, 100, 100), square_mask())
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert blended[24, 24].tolist() == pytest.approx([100, 100, 100], abs=4)
    assert blended[30, 30].tolist() == pytest.approx([140, 140, 140], abs=10)
    assert np.array_equal(blended[mask == 0], flat(100, 100, 100)[mask == 0])


def test_a_mask_too_small_for_poisson_is_alpha_blended():
    mask = np.zeros((60, 60), dtype=np.float32)
    mask[30:35, 30:35] = 1
    blended, used = poisson_blend(flat(200, 0, 0), flat(0, 0, 0), mask)
    assert np.array_equal(used, mask)
    assert blended[32, 32].tolist() == [200, 0, 0]


@pytest.mark.parametrize(("strength", "expected"), [(0.0, (200, 60, 60)), (1.0, (90, 120, 150))])
def test_colour_transfer_moves_the_mean_by_its_strength(strength, expected):
    moved = transfer_colour(flat(200, 60, 60), flat(90, 120, 150), square_mask(), strength)
    assert moved[30, 30].tolist() == pytest.approx(list(expected), abs=3)


def test_colour_transfer_without_a_place_to_compare_changes_nothing():
    nowhere = np.zeros((60, 60), dtype=np.float32)
    assert np.array_equal(transfer_colour(flat(9, 8, 7), flat(90, 90, 90), nowhere, 1.0), flat(9, 8, 7))


def test_a_mask_is_limited_to_where_the_source_has_pixels():
    valid = np.ones((60, 60), dtype=np.float32)
    valid[:, 30:] = 0
    assert smallest_share(square_mask(0.5), valid).sum() == pytest.approx(0.5 * 20 * 10)
