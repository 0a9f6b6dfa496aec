"""Self-blended images: what is changed, where, and by how much."""

from dataclasses import replace

import numpy as np
import pytest

from realface.demo.sample_study.self_blending import SelfBlend, SelfBlendRanges, draw_self_blend, self_blend

SQUARE = np.array([(40, 40), (88, 40), (88, 88), (40, 88)], dtype=np.float32)
NEUTRAL = SelfBlend(
    alters_source=True,
    colour=(0.0, 0.0, 0.0),
    hue=0.0,
    saturation=1.0,
    brightness=1.0,
    contrast=1.0,
    sharpening=0.0,
    shrinking=1.0,
    scale=(1.0, 1.0),
    shift=(0.0, 0.0),
    bend=((0.0, 0.0),) * 16,
    softness=(0.05, 0.05),
    ratio=1.0,
)


def grey_picture(level=100):
    return np.full((128, 128, 3), level, dtype=np.uint8)


def noisy_picture():
    return np.random.default_rng(0).integers(0, 256, size=(128, 128, 3), dtype=np.uint8)


def test_settings_that_change_nothing_give_the_picture_back():
    blended, _ = self_blend(grey_picture(), SQUARE, NEUTRAL)
    assert np.array_equal(blended, grey_picture())


def test_an_altered_source_shows_inside_the_landmarks_only():
    blended, _ = self_blend(grey_picture(), SQUARE, replace(NEUTRAL, colour=(10.0, 0.0, -20.0)))
    assert blended[64, 64].tolist() == [110, 100, 80]
    assert blended[5, 5].tolist() == [100, 100, 100]


def test_an_altered_target_shows_outside_the_landmarks_only():
    blended, _ = self_blend(grey_picture(), SQUARE, replace(NEUTRAL, alters_source=False, colour=(10.0, 0.0, -20.0)))
    assert blended[64, 64].tolist() == [100, 100, 100]
    assert blended[5, 5].tolist() == [110, 100, 80]


def test_the_ratio_is_the_share_of_the_source():
    blend = replace(NEUTRAL, colour=(40.0, 40.0, 40.0), ratio=0.25)
    blended, mask = self_blend(grey_picture(), SQUARE, blend)
    assert mask.max() == pytest.approx(0.25)
    assert blended[64, 64].tolist() == [110, 110, 110]


def test_the_source_is_shifted_by_a_share_of_the_face():
    picture = grey_picture(0)
    picture[:, 60:] = 200  # an edge inside the square of side 48
    blended, _ = self_blend(picture, SQUARE, replace(NEUTRAL, shift=(0.125, 0.0)))  # 6 pixels to the right
    assert blended[64, 65].tolist() == [0, 0, 0]
    assert blended[64, 66].tolist() == [200, 200, 200]


def test_a_wide_first_blur_shrinks_the_mask_and_a_wide_second_one_grows_it():
    _, small = self_blend(grey_picture(), SQUARE, replace(NEUTRAL, softness=(0.4, 0.02)))
    _, large = self_blend(grey_picture(), SQUARE, replace(NEUTRAL, softness=(0.02, 0.4)))
    assert (small > 0).sum() < 49 * 49 < (large > 0).sum()


def test_a_bend_moves_the_outline():
    _, straight = self_blend(grey_picture(), SQUARE, NEUTRAL)
    to_the_left = ((0.25, 0.0),) * 16  # each place reads 12 pixels further right
    _, bent = self_blend(grey_picture(), SQUARE, replace(NEUTRAL, bend=to_the_left))
    assert straight[64, 84] == pytest.approx(1)
    assert bent[64, 84] == pytest.approx(0)
    assert bent[64, 32] == pytest.approx(1)


@pytest.mark.parametrize(("change", "sharper"), [({"sharpening": 1.0}, True), ({"shrinking": 3.0}, False)])
def test_a_copy_is_sharpened_or_softened(change, sharper):
    picture = (noisy_picture() // 4 + 96).astype(np.uint8)
    blended, _ = self_blend(picture, SQUARE, replace(NEUTRAL, **change))
    inside = (slice(56, 72), slice(56, 72))
    assert (blended[inside].std() > picture[inside].std()) == sharper


def test_the_picture_that_was_given_is_left_as_it_is():
    picture = noisy_picture()
    self_blend(picture, SQUARE, draw_self_blend(np.random.default_rng(1)))
    assert np.array_equal(picture, noisy_picture())


def test_one_seed_gives_one_blend():
    assert draw_self_blend(np.random.default_rng(5)) == draw_self_blend(np.random.default_rng(5))


def test_every_setting_is_drawn_from_its_range():
    ranges = SelfBlendRanges(source_chance=1.0, hue=(3, 4), scale=(1.01, 1.02), shrinking=(5, 6), ratios=(0.3,))
    blends = [draw_self_blend(np.random.default_rng(seed), ranges) for seed in range(40)]
    assert all(blend.alters_source and 3 <= blend.hue <= 4 and blend.ratio == 0.3 for blend in blends)
    assert all(1.01 <= factor <= 1.02 for blend in blends for factor in blend.scale)
    assert {blend.sharpening > 0 for blend in blends} == {True, False}
    assert all((blend.sharpening > 0) == (blend.shrinking == 1) for blend in blends)
