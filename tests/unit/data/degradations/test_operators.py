"""The contract of every degradation operator, and what each one does."""

import cv2
import numpy as np
import pytest
import skimage.data

from realface.data.degradations.codecs import through_h264
from realface.data.degradations.draw import OPERATORS
from realface.data.degradations.operator import NUM_LEVELS

LEVELS = range(1, NUM_LEVELS + 1)
every_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


def portrait(side=112):
    return cv2.resize(skimage.data.astronaut()[30:210, 130:310], (side, side), interpolation=cv2.INTER_AREA)


def generator(seed=0):
    return np.random.default_rng(seed)


def error(image, degraded):
    return float(np.abs(image.astype(np.float32) - degraded).mean())


@every_operator
def test_an_operator_keeps_shape_and_type_and_leaves_its_input(operator):
    for image in (portrait(), np.ascontiguousarray(portrait()[:101, :77])):
        before = image.copy()
        degraded = operator(image, 3, generator())
        assert degraded.shape == image.shape
        assert degraded.dtype == np.uint8
        assert np.array_equal(image, before)
        assert not np.shares_memory(degraded, image)


@every_operator
def test_one_seed_gives_one_degraded_image(operator):
    assert np.array_equal(operator(portrait(), 2, generator(4)), operator(portrait(), 2, generator(4)))


@every_operator
def test_another_seed_gives_another_degraded_image(operator):
    degraded = [operator(portrait(), 3, generator(seed)) for seed in range(6)]
    assert any(not np.array_equal(degraded[0], other) for other in degraded[1:])


@every_operator
def test_a_higher_level_changes_the_image_more(operator):
    image = portrait(224)
    errors = [np.mean([error(image, operator(image, level, generator(seed))) for seed in range(3)]) for level in LEVELS]
    assert errors[0] > 0.2
    assert errors == sorted(errors)


@every_operator
def test_a_filter_treats_two_equal_frames_of_a_clip_alike(operator):
    frames = [portrait(), portrait()]
    first, second = operator.draw(3, generator())(frames)
    # noise is new in each frame; a codec may code the second frame with fewer errors than the first
    assert error(first, second) < 2 * error(portrait(), first) + 1


@pytest.mark.parametrize("name", ["gaussian_noise", "iso_noise"])
def test_noise_is_equal_in_a_pair_and_new_in_each_frame(name):
    flat = np.full((64, 64, 3), 128, dtype=np.uint8)
    add_noise = OPERATORS[name].draw(3, generator())
    first, second = add_noise([flat, flat])
    assert np.array_equal(add_noise([flat])[0], first)
    assert error(first, second) > 1


def test_gaussian_noise_has_the_stated_strength():
    flat = np.full((128, 128, 3), 128, dtype=np.uint8)
    spread = [OPERATORS["gaussian_noise"](flat, 3, generator(seed)).std() for seed in range(20)]
    assert np.mean(spread) == pytest.approx(5.5, rel=0.1)


def test_iso_noise_is_stronger_in_bright_places():
    dark, bright = (np.full((64, 64, 3), level, dtype=np.uint8) for level in (20, 200))
    noisy = [OPERATORS["iso_noise"](image, 3, generator()).std() for image in (dark, bright)]
    assert noisy[1] > 1.5 * noisy[0]


def test_a_mild_h264_level_keeps_colours_and_places():
    image = portrait()
    decoded = through_h264([image, image, image], 10)
    assert len(decoded) == 3
    assert all(error(image, frame) < 4 for frame in decoded)
    assert all(abs(float(frame.mean()) - float(image.mean())) < 2 for frame in decoded)


def test_blur_and_resize_lower_the_sharpness():
    sharpness = cv2.Laplacian(portrait(), cv2.CV_32F).var()
    for name in ("blur", "resize"):
        assert cv2.Laplacian(OPERATORS[name](portrait(), 3, generator()), cv2.CV_32F).var() < 0.5 * sharpness


@every_operator
def test_every_level_of_an_operator_is_described(operator):
    assert len(operator.levels) == NUM_LEVELS
    assert all(operator.levels)
