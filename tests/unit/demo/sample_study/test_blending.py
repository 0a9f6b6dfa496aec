import numpy as np
import pytest

from realface.demo.sample_study.blending import (
    generated,
    mixed,
    poisson_blended,
    polygon_mask,
    transferred_colours,
)

SQUARE = np.array([(30, 30), (70, 30), (70, 70), (30, 70)], dtype=np.float32)


def picture(seed=0):
    return np.random.default_rng(seed).integers(60, 180, size=(100, 100, 3), dtype=np.uint8)


def square_mask():
    return polygon_mask(SQUARE, softness=1.5, height=100, width=100)


def test_a_polygon_is_whole_inside_and_nothing_outside():
    mask = square_mask()
    assert mask[50, 50] == pytest.approx(1)
    assert mask[10, 10] == 0
    assert mask[50, 30] == pytest.approx(0.6, abs=0.15)  # the outline's own pixels count as inside


def test_mixing_takes_the_masks_share_of_the_face():
    mask = np.full((100, 100), 0.25, dtype=np.float32)
    face, frame = np.full((100, 100, 3), 200, np.uint8), np.full((100, 100, 3), 100, np.uint8)
    assert mixed(face, frame, mask)[0, 0].tolist() == [125, 125, 125]


def test_a_poisson_blend_of_a_picture_with_itself_changes_nothing_but_rounding():
    blended = poisson_blended(picture(), picture(), square_mask())
    assert np.abs(blended.astype(int) - picture()).max() <= 2


def test_a_poisson_blend_drops_a_difference_of_brightness():
    face = np.full((100, 100, 3), 180, dtype=np.uint8)
    face[45:55, 45:55] = 200
    blended = poisson_blended(face, np.full((100, 100, 3), 90, dtype=np.uint8), square_mask())
    assert blended[35, 35] == pytest.approx([90, 90, 90], abs=4)
    assert blended[50, 50].mean() - blended[35, 35].mean() == pytest.approx(20, abs=5)


def test_a_poisson_blend_stays_in_place_for_masks_of_odd_and_even_sides():
    for side in (40, 41):
        face = np.full((100, 100, 3), 120, dtype=np.uint8)
        face[50, 50] = 250
        square = SQUARE + (SQUARE - 30) * ((side - 40) / 40)
        mask = polygon_mask(square, softness=1.5, height=100, width=100)
        blended = poisson_blended(face, np.full((100, 100, 3), 120, dtype=np.uint8), mask)
        assert np.unravel_index(blended[..., 0].argmax(), (100, 100)) == (50, 50)


def test_colours_are_transferred_inside_the_mask():
    dark, light = (picture() // 2), picture(1)
    moved = transferred_colours(dark.astype(np.uint8), light, square_mask())
    inside = square_mask() > 0.5
    assert moved[inside].mean() == pytest.approx(light[inside].mean(), abs=6)


def test_a_generated_picture_is_coarser_than_what_it_shows():
    detailed = picture().astype(np.float32)
    assert generated(detailed, np.zeros((40, 40, 1), np.float32)).std() < 0.8 * detailed.std()


def test_a_generated_picture_shows_the_generators_texture():
    texture = np.zeros((50, 50, 1), dtype=np.float32)
    texture[25, 25] = 40
    made = generated(np.full((100, 100, 3), 120, dtype=np.float32), texture)
    assert made[5, 5] == pytest.approx(120, abs=1)  # OpenCV's resize rounds differently without AVX2
    assert made[51, 51].min() > 140  # the texture's pixel covers two by two of the picture, 50 to 51
