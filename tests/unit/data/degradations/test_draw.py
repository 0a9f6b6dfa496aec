"""Chains of degradations: how they are drawn, shared by a pair and configured."""

import pickle
from collections import Counter

import numpy as np
import pytest

from realface.core.errors import RecipeError
from realface.core.recipe import check_recipe
from realface.data.degradations.draw import (
    OPERATORS,
    Degradation,
    DegradationsSection,
    DegradationStep,
    draw_degradations,
)


def drawn(count, **settings):
    config = DegradationsSection(**settings)
    return [draw_degradations(config, np.random.default_rng(seed)) for seed in range(count)]


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)


def test_one_draw_does_the_same_to_equal_images():
    for degradation in drawn(20, probability=1):
        assert np.array_equal(degradation(image()), degradation(image()))


def test_a_drawn_chain_survives_pickling():
    for degradation in drawn(5, probability=1):
        copy = pickle.loads(pickle.dumps(degradation))
        assert copy == degradation
        assert np.array_equal(copy(image()), degradation(image()))


def test_a_pair_keeps_its_equal_pixels_through_a_pixelwise_chain():
    real, fake = image(), image()
    fake[20:40, 20:40] = 0
    steps = tuple(DegradationStep(name, 3, seed=7) for name in ("gaussian_noise", "gamma", "saturation"))
    first, second = Degradation(steps)(real), Degradation(steps)(fake)
    outside = np.ones((64, 64), dtype=bool)
    outside[20:40, 20:40] = False
    assert np.array_equal(first[outside], second[outside])
    assert not np.array_equal(first, second)


def test_an_empty_chain_returns_the_image():
    assert np.array_equal(Degradation()(image()), image())


def test_a_clip_keeps_its_number_of_frames():
    for degradation in drawn(20, probability=1):
        frames = degradation.clip([image(0), image(1), image(2)])
        assert [frame.shape for frame in frames] == [(64, 64, 3)] * 3


def test_the_probability_is_the_share_of_degraded_crops():
    assert all(not degradation.steps for degradation in drawn(20, probability=0))
    share = np.mean([bool(degradation.steps) for degradation in drawn(400, probability=0.3)])
    assert share == pytest.approx(0.3, abs=0.07)


def test_chains_go_from_camera_to_viewer_without_repeats():
    for degradation in drawn(100, probability=1, max_operators=5):
        names = [step.operator for step in degradation.steps]
        stages = [OPERATORS[name].stage for name in names]
        assert stages == sorted(stages)
        assert len(set(names)) == len(names)


def test_the_number_of_operators_is_even_from_one_to_the_largest():
    counts = Counter(len(degradation.steps) for degradation in drawn(600, probability=1, max_operators=3))
    assert set(counts) == {1, 2, 3}
    assert min(counts.values()) > 150


def test_operators_and_levels_are_drawn_by_their_frequency():
    chains = drawn(600, probability=1, max_operators=1, operators={"jpeg": 3, "blur": 1}, levels=[0, 1, 0, 0, 1])
    steps = [degradation.steps[0] for degradation in chains]
    assert np.mean([step.operator == "jpeg" for step in steps]) == pytest.approx(0.75, abs=0.06)
    assert {step.level for step in steps} == {2, 5}


def test_fewer_operators_than_asked_for_are_no_fault():
    assert all(len(chain.steps) == 1 for chain in drawn(10, probability=1, max_operators=4, operators={"jpeg": 1}))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"operators": {"jpg": 1}}, "unknown operators jpg; allowed are blur, brightness"),
        ({"operators": {}}, "operators: frequencies must be >= 0 and at least one > 0"),
        ({"operators": {"jpeg": -1, "blur": 2}}, "operators: frequencies must be >= 0"),
        ({"levels": [0, 0, 0, 0, 0]}, "levels: frequencies must be >= 0 and at least one > 0"),
    ],
)
def test_a_faulty_section_says_what_is_allowed(settings, text):
    with pytest.raises(RecipeError, match=text):
        check_recipe(DegradationsSection, settings, where="recipe")
