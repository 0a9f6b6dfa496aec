"""What single kinds do beyond the common contract."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from realface.core.mesh_regions import INNER_LIPS
from realface.data.pseudo_fakes.alterations import SOFTER_SHARES, altered_colour, altered_detail
from realface.data.pseudo_fakes.contract import Partner
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mouth import mouth, moved_mouth
from realface.data.pseudo_fakes.partners import PartnerPool, face_traits
from realface.data.pseudo_fakes.parts import parts
from realface.data.pseudo_fakes.points import dense_points
from realface.data.pseudo_fakes.resynthesis import resynthesis
from realface.data.pseudo_fakes.self_blend import self_blend
from realface.data.pseudo_fakes.smoothing import beauty, bilateral, denoising, resampling
from realface.data.pseudo_fakes.swap import swap
from realface.data.pseudo_fakes.video_blend import blend_clip


def generator(seed=0):
    return np.random.default_rng(seed)


def sharpness(image):
    return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var()


def skin_detail(image):
    """The median leaves edges out."""
    return np.median(np.abs(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F)))


def test_altered_surroundings_make_the_altered_image_the_real(astronaut):
    fakes = [self_blend(*astronaut, generator(seed)) for seed in range(40)]
    kept = {fake.parameters["altered"]: np.array_equal(fake.real, astronaut[0]) for fake in fakes}
    assert kept == {"source": True, "target": False, "both": False}


def test_a_self_blend_uses_the_ratios_of_the_paper(astronaut):
    fakes = [self_blend(*astronaut, generator(seed)) for seed in range(60)]
    assert {fake.parameters["ratio"] for fake in fakes} == {0.25, 0.5, 0.75, 1.0}
    assert all(fake.mask.max() <= fake.parameters["ratio"] + 1e-6 for fake in fakes)


def test_sources_are_softer_more_often_than_sharper(astronaut):
    image = astronaut[0]
    changed = [sharpness(altered_detail(image, generator(seed), SOFTER_SHARES)[0]) for seed in range(60)]
    assert np.mean(np.array(changed) < 0.95 * sharpness(image)) > 0.6


def test_a_colour_change_keeps_grey_images_grey_in_hue_and_saturation():
    grey = np.full((8, 8, 3), 120, dtype=np.uint8)
    for seed in range(30):
        changed = altered_colour(grey, generator(seed), strength=0.0)
        assert np.abs(changed.astype(int) - 120).max() <= 1


def test_a_swap_shows_the_donor_inside_and_the_target_outside(astronaut, hopper):
    image, five = astronaut
    red = Partner(np.full_like(hopper[0], (200, 40, 40)), hopper[1])
    for seed in range(6):
        fake = swap(image, five, generator(seed), red)
        inside = fake.mask > 0.9 * fake.mask.max()
        if fake.parameters["blend"] == "alpha":  # a flat donor stays flat whatever its colour becomes
            assert fake.image[inside].std(axis=0).mean() < image[inside].std(axis=0).mean()


def test_swaps_use_both_alignments_and_both_blends(astronaut, hopper):
    drawn = [swap(*astronaut, generator(seed), Partner(*hopper)).parameters for seed in range(30)]
    assert {one["alignment"] for one in drawn} == {"dense", "similarity"}
    assert {one["blend"] for one in drawn} == {"alpha", "poisson"}


def test_a_donor_that_looks_the_other_way_is_mirrored(astronaut):
    image, five = astronaut
    flipped = np.ascontiguousarray(image[:, ::-1])
    points = five.copy()
    points[:, 0] = image.shape[1] - 1 - points[:, 0]
    mirrored = Partner(flipped, points[[1, 0, 2, 4, 3]])
    errors = []
    for seed in range(12):
        fake = swap(image, five, generator(seed), mirrored)
        inside = fake.mask > 0.5
        errors.append(np.abs(fake.image[inside].astype(int) - image[inside]).mean())
    assert np.median(errors) < 12  # the same face again, only resampled


def test_parts_come_from_the_partner_or_from_an_altered_copy(astronaut, hopper):
    with_partner = [parts(*astronaut, generator(seed), Partner(*hopper)).parameters for seed in range(30)]
    without = [parts(*astronaut, generator(seed)).parameters for seed in range(10)]
    assert {one["from_partner"] for one in with_partner} == {True, False}
    assert {one["from_partner"] for one in without} == {False}
    assert {one["region"] for one in with_partner} >= {"eyes", "mouth", "nose", "half"}


def test_a_moved_mouth_has_the_asked_opening_and_fixed_eyes(astronaut):
    points = dense_points(astronaut[1])
    for gap in (0.02, 0.2):
        moved = moved_mouth(points, gap=gap, width=1.0)
        middle = np.linalg.norm(moved[14] - moved[13])
        face = float(np.linalg.norm(points[list(INNER_LIPS)].mean(axis=0) - points[168]))
        assert middle == pytest.approx(gap * face, abs=0.12 * face)
        assert np.array_equal(moved[[33, 263, 10]], points[[33, 263, 10]])


def test_mouth_fakes_stay_below_the_eyes(astronaut):
    image, five = astronaut
    for seed in range(10):
        rows = np.flatnonzero(mouth(image, five, generator(seed)).mask.max(axis=1))
        assert rows.min() > five[:2, 1].max()


@pytest.mark.parametrize("apply", [bilateral, denoising, resampling, beauty])
def test_smoothing_filters_remove_detail_and_keep_the_colour(apply, astronaut):
    smooth = apply(astronaut[0], 0.8, generator())
    assert skin_detail(smooth) < 0.8 * skin_detail(astronaut[0])
    assert smooth.mean() == pytest.approx(astronaut[0].mean(), abs=6)


def test_a_beauty_filter_spares_the_eyes(astronaut):
    image, five = astronaut
    for seed in range(5):
        mask = KINDS["smooth_beauty"].make(image, five, generator(seed)).mask
        assert all(mask[round(y), round(x)] < 0.3 for x, y in five[:2])


def test_resynthesis_shows_the_stored_image(astronaut):
    image, five = astronaut
    stored = cv2.GaussianBlur(image, (0, 0), 3)
    fakes = [resynthesis(image, five, generator(seed), Partner(stored)) for seed in range(20)]
    whole = [fake for fake in fakes if fake.parameters["region"] == "whole" and fake.parameters["ratio"] == 1.0]
    assert whole
    assert all(sharpness(fake.image) < 0.6 * sharpness(image) for fake in whole)


def test_a_clip_is_blended_by_one_draw_and_drifting_warps(astronaut):
    image, five = astronaut
    fakes = blend_clip([image] * 6, [five] * 6, generator(5))
    assert len({tuple(fake.parameters.values()) for fake in fakes}) == 1
    assert all(np.array_equal(fake.real, fakes[0].real) for fake in fakes)
    changes = [np.abs(a.image.astype(int) - b.image).mean() for a, b in pairwise(fakes)]
    difference = np.abs(fakes[0].image.astype(int) - fakes[0].real).mean()
    assert min(changes) > 0
    assert max(changes) < 3 * difference + 1


def test_a_partner_is_similar_and_somebody_else():
    traits = np.zeros((10, 6), dtype=np.float32)
    traits[:, 0] = range(10)
    pool = PartnerPool(traits, [str(index) for index in range(10)])
    chosen = [pool.choose(5, generator(seed)) for seed in range(300)]
    assert 5 not in chosen
    # all narrow choices are among the six nearest, and of the wider ones 6 of 30: 0.7 + 0.3 * 0.2
    assert np.mean([face in {2, 3, 4, 6, 7, 8} for face in chosen]) == pytest.approx(0.76, abs=0.08)


def test_a_partner_is_sometimes_another_image_of_the_same_person():
    pool = PartnerPool(np.zeros((8, 6), dtype=np.float32), ["a", "a", "b", "c", "d", "e", "f", "g"])
    chosen = [pool.choose(0, generator(seed)) for seed in range(300)]
    assert np.mean([face == 1 for face in chosen]) == pytest.approx(0.2, abs=0.07)
    assert 0 not in chosen


def test_nobody_else_gives_no_partner():
    pool = PartnerPool(np.zeros((1, 6), dtype=np.float32), ["a"])
    assert pool.choose(0, generator()) is None


def test_traits_differ_more_between_people_than_between_sides(astronaut, hopper):
    own = face_traits(*astronaut)
    other = face_traits(*hopper)
    image, five = astronaut
    points = five.copy()
    points[:, 0] = image.shape[1] - 1 - points[:, 0]
    mirrored = face_traits(np.ascontiguousarray(image[:, ::-1]), points[[1, 0, 2, 4, 3]])
    assert own.shape == (150,)
    assert np.linalg.norm(own - mirrored) < 0.3 * np.linalg.norm(own - other)
