"""Regions of a face and the masks made from them."""

import numpy as np
import pytest

from realface.core.mesh_regions import LEFT_EYE, LIPS, NOSE_TIP
from realface.data.pseudo_fakes.points import dense_points
from realface.data.pseudo_fakes.regions import REGIONS, MaskSettings, draw_mask, draw_region, finished_mask, plain_mask

SHAPE = (200, 200)
PLAIN = MaskSettings(vertex=0, bend=0, scale=(1, 1), softness=(0.001, 0.001), hard_share=1)


@pytest.fixture(scope="module")
def points():
    return dense_points(np.array([(70, 80), (130, 80), (100, 120), (78, 150), (122, 150)], dtype=np.float32))


def mask_of(region, points, seed=0, settings=PLAIN):
    return draw_mask(region, points, SHAPE, np.random.default_rng(seed), settings)


def at(mask, place):
    x, y = np.round(place).astype(int)
    return mask[y, x]


@pytest.mark.parametrize(
    ("region", "has_eye", "has_nose", "has_mouth"),
    [
        ("oval", 1, 1, 1),
        ("hull", 1, 1, 1),
        ("low_hull", 1, 1, 1),
        ("head", 1, 1, 1),
        ("inner", 1, 1, 1),
        ("ellipse", 1, 1, 1),
        ("lower", 0, None, 1),
        ("eyes", 1, 0, 0),
        ("brows", 0, 0, 0),
        ("mouth", 0, 0, 1),
        ("nose", 0, 1, 0),
    ],
)
def test_a_region_contains_its_features_only(region, has_eye, has_nose, has_mouth, points):
    for seed in range(10):
        mask = mask_of(region, points, seed)
        assert at(mask, points[list(LEFT_EYE)].mean(axis=0)) == has_eye
        assert has_nose is None or at(mask, points[NOSE_TIP]) == has_nose
        assert at(mask, points[list(LIPS)].mean(axis=0)) == has_mouth


def test_halves_contain_one_eye(points):
    eyes = [(70, 80), (130, 80)]
    found = [tuple(at(mask_of("half", points, seed), eye) > 0 for eye in eyes) for seed in range(20)]
    assert set(found) == {(True, False), (False, True)}


def test_every_region_can_be_drawn(points):
    shares = dict.fromkeys(REGIONS, 1.0)
    assert {draw_region(np.random.default_rng(seed), shares) for seed in range(200)} == set(REGIONS)


def test_a_plain_mask_has_the_area_of_its_polygon():
    square = np.array([(20, 30), (60, 30), (60, 90), (20, 90)], dtype=np.float32)
    assert plain_mask([square], SHAPE).sum() == pytest.approx(41 * 61, rel=0.03)  # pixels on the edge count


def test_settings_bend_soften_and_scale_the_mask(points):
    plain = mask_of("oval", points)
    bent = mask_of("oval", points, settings=MaskSettings(hard_share=1, bend=0.05, vertex=0, scale=(1, 1)))
    small = mask_of("oval", points, settings=MaskSettings(hard_share=1, bend=0, vertex=0, scale=(0.7, 0.7)))
    soft = mask_of("oval", points, settings=MaskSettings(hard_share=0, softness=(0.1, 0.1)))
    assert np.abs(bent - plain).mean() > 0.005
    assert small.sum() == pytest.approx(0.49 * plain.sum(), rel=0.03)
    assert ((soft > 0.05) & (soft < 0.95)).sum() > 3 * ((plain > 0.05) & (plain < 0.95)).sum()


def test_a_region_smaller_than_the_blur_does_not_vanish():
    tiny = dense_points(np.array([(97, 98), (103, 98), (100, 102), (98, 105), (102, 105)], dtype=np.float32))
    assert mask_of("eyes", tiny, settings=MaskSettings(hard_share=0, softness=(0.5, 0.5))).max() > 0


def test_negligible_shares_become_exactly_zero():
    assert finished_mask(np.array([[-0.1, 0.001, 0.5, 1.2]])).tolist() == [[0.0, 0.0, 0.5, 1.0]]
