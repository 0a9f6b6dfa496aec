import numpy as np
import pytest

from realface.demo.sample_study.forgery import FORGERS, untouched
from realface.demo.sample_study.motion import FRAME


def changes(forged, footage):
    """(N, H, W): the largest change of a colour at each place."""
    return np.abs(np.stack(forged.frames).astype(int) - np.stack(footage.frames)).max(axis=-1)


@pytest.mark.parametrize("method", FORGERS)
def test_a_fake_differs_from_its_target_inside_the_mask_only(method, footage, other_take):
    forged = FORGERS[method](footage, other_take, np.random.default_rng(3))
    masks = np.stack(forged.masks)
    change = changes(forged, footage)
    assert masks.shape == (2, FRAME, FRAME)
    assert change[masks == 0].max() <= 2  # the Poisson solver's rounding
    assert change[masks > 0.9].mean() > 4
    assert 0.01 < (masks > 0.5).mean() < 0.2


@pytest.mark.parametrize("method", FORGERS)
def test_the_mask_lies_on_the_face(method, footage, other_take):
    forged = FORGERS[method](footage, other_take, np.random.default_rng(3))
    for mask, points in zip(forged.masks, footage.points(), strict=True):
        rows, columns = np.nonzero(mask > 0.5)
        low, high = points.min(axis=0) - 8, points.max(axis=0) + 8
        assert low[0] < columns.min() <= columns.max() < high[0]
        assert low[1] - 8 < rows.min() <= rows.max() < high[1]


@pytest.mark.parametrize("method", FORGERS)
def test_one_seed_gives_one_forgery(method, footage, other_take):
    once, again = (FORGERS[method](footage, other_take, np.random.default_rng(8)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(once.frames, again.frames, strict=True))


def test_a_real_video_goes_through_the_blending_and_keeps_its_face(footage):
    assert changes(untouched(footage), footage).max() <= 2
