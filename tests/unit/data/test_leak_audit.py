"""The leak audit passes clean kinds and fails leaking ones."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from realface.data.degradations.codecs import through_jpeg
from realface.data.degradations.draw import DegradationsSection, draw_degradations
from realface.data.leak_audit import (
    DILATION,
    MEASURES,
    LeakReport,
    audit_pairs,
    cross_validated_auc,
    is_equal_outside,
    surroundings,
)
from realface.data.pseudo_fakes.contract import Partner, PseudoFake
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakeMixture

NUM_PAIRS = 260


def pairs_of(kind, faces, *, size, count=NUM_PAIRS):
    """Pairs from random windows of two portraits."""
    pairs = []
    for seed in range(count):
        generator = np.random.default_rng((seed, 1))
        image, five = faces[seed % 2]
        side = round(image.shape[0] * generator.uniform(0.85, 1))
        x, y = (int(value) for value in generator.integers(0, image.shape[0] - side + 1, size=2))
        crop = cv2.resize(image[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
        points = ((five - (x, y) + 0.5) * size / side - 0.5).astype(np.float32)
        other = Partner(*faces[1 - seed % 2])
        partner = Partner(cv2.GaussianBlur(crop, (0, 0), 2)) if KINDS[kind].partner == "stored" else other
        pairs.append(PseudoFakeMixture({kind: 1}).make(kind, crop, points, generator, partner))
    return pairs


def degradations(count=NUM_PAIRS):
    section = DegradationsSection()
    return [draw_degradations(section, np.random.default_rng((seed, 2))) for seed in range(count)]


@pytest.fixture(scope="module")
def faces(astronaut, hopper):
    return [astronaut, hopper]


@pytest.fixture(scope="module")
def parts_pairs(faces):
    return pairs_of("parts", faces, size=96)


def test_a_clean_kind_passes_with_degradations(parts_pairs):
    report = audit_pairs("parts", parts_pairs, degradations())
    assert report.passes, report.describe()
    assert set(report.aucs) == set(MEASURES)


def test_a_kind_that_encodes_only_the_fake_fails_both_checks(parts_pairs):
    leaking = [replace(pair, image=through_jpeg(pair.image, 80)) for pair in parts_pairs]
    report = audit_pairs("leaking", leaking, seed=1)
    assert report.num_unequal == NUM_PAIRS
    assert report.aucs["file size"] > 0.55
    assert "260 of 260 pairs differ outside the mask" in report.leaks
    assert any("file size outside the mask finds the fakes: AUC" in leak for leak in report.leaks)


def test_a_kind_that_alters_only_the_fakes_surroundings_fails(faces):
    """As self-blending does where the unaltered image is taken as the real."""
    originals, leaking = [], pairs_of("self_blend", faces, size=96, count=40)
    for seed, pair in enumerate(leaking):
        shift = int(np.random.default_rng(seed).choice((-12, 12)))
        originals.append(replace(pair, real=np.clip(pair.real.astype(int) + shift, 0, 255).astype(np.uint8)))
    report = audit_pairs("leaking", originals)
    assert report.leaks[0] == "40 of 40 pairs differ outside the mask"


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_with_degradations(kind, faces):
    count = 2 * NUM_PAIRS
    report = audit_pairs(kind, pairs_of(kind, faces, size=160, count=count), degradations(count))
    assert report.passes, report.describe()


def features(seed, shift=0.0, spread=1.0):
    return shift + spread * np.random.default_rng(seed).normal(size=(300, 4))


def test_equal_features_give_exactly_chance():
    assert cross_validated_auc(features(0), features(0), seed=0) == 0.5


def test_independent_features_stay_within_the_limits():
    aucs = [cross_validated_auc(features(seed), features(seed + 100), seed=0) for seed in range(6)]
    assert 0.45 < np.mean(aucs) < 0.55


def test_shifted_and_wider_features_are_found():
    assert cross_validated_auc(features(0), features(1, shift=0.8), seed=0) > 0.75
    assert cross_validated_auc(features(0), features(1, spread=2.0), seed=0) > 0.65


@pytest.mark.parametrize("measure", MEASURES)
def test_no_measure_sees_the_inside(measure):
    image = np.random.default_rng(0).integers(0, 256, size=(96, 96, 3), dtype=np.uint8)
    outside = np.ones((96, 96), dtype=bool)
    outside[30:60, 30:60] = False
    changed = image.copy()
    changed[38:52, 38:52] = 0  # detail is measured over some pixels; the dilation keeps that distance
    assert np.allclose(MEASURES[measure](image, outside), MEASURES[measure](changed, outside), rtol=0.001)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_sees_the_outside(measure):
    image = np.random.default_rng(0).integers(0, 200, size=(96, 96, 3), dtype=np.uint8)
    outside = np.ones((96, 96), dtype=bool)
    outside[30:60, 30:60] = False
    changed = cv2.GaussianBlur(image, (0, 0), 1.0) + 5
    assert not np.allclose(MEASURES[measure](image, outside), MEASURES[measure](changed, outside), rtol=0.02)


def square_pair(side=96):
    real = np.full((side, side, 3), 90, dtype=np.uint8)
    fake, mask = real.copy(), np.zeros((side, side), dtype=np.float32)
    fake[40:50, 40:50], mask[40:50, 40:50] = 200, 1.0
    return PseudoFake(fake, real, mask, "square", {})


def test_one_differing_pixel_outside_is_noticed():
    pair = square_pair()
    assert is_equal_outside(pair)
    pair.image[0, 0, 0] += 1
    assert not is_equal_outside(pair)


def test_the_surroundings_keep_a_distance_from_the_mask():
    outside = surroundings(square_pair())
    assert not outside[45, 50 + DILATION - 1]
    assert outside[45, 50 + DILATION]


def test_whole_image_masks_are_compared_but_not_measured():
    pair = square_pair()
    whole = replace(pair, mask=np.ones_like(pair.mask))
    report = audit_pairs("whole", [whole] * 10)
    assert (report.num_pairs, report.num_measured, report.num_unequal, report.aucs) == (10, 0, 0, {})
    assert not report.passes
    assert "undecided: 0 pairs have surroundings to measure, at least 250 needed" in report.describe()


def test_a_report_says_what_leaks_in_one_line():
    good = LeakReport("parts", 300, 0, {"blocks": 0.51}, 300)
    assert good.describe() == "parts             300 pairs, 0 unequal outside; AUC blocks 0.510: no leak"
    bad = LeakReport("parts", 300, 2, {"blocks": 0.61}, 300)
    assert bad.describe().endswith(
        "LEAK: 2 of 300 pairs differ outside the mask; blocks outside the mask finds the fakes: AUC 0.610 "
        "(allowed: 0.45 to 0.55)"
    )
