"""The contract of every kind of pseudo-fake."""

import json

import cv2
import numpy as np
import pytest

from realface.core.errors import PseudoFakeError
from realface.data.pseudo_fakes.contract import Partner
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.points import dense_points

every_kind = pytest.mark.parametrize("kind", KINDS)
SEEDS = range(8)


@pytest.fixture
def fakes_of(astronaut, partner_for):
    def make(kind, seeds=SEEDS, landmarks=None):
        image, five = astronaut
        entry = KINDS[kind]
        points = five if landmarks is None else landmarks
        partner = partner_for[entry.partner]
        return [entry.make(image, points, np.random.default_rng(seed), partner) for seed in seeds]

    return make


@every_kind
def test_fake_real_and_mask_have_the_documented_form(kind, fakes_of, astronaut):
    for fake in fakes_of(kind):
        assert fake.image.shape == fake.real.shape == astronaut[0].shape
        assert fake.image.dtype == fake.real.dtype == np.uint8
        assert fake.mask.shape == astronaut[0].shape[:2]
        assert fake.mask.dtype == np.float32
        assert fake.mask.min() >= 0
        assert 0.2 < fake.mask.max() <= 1
        assert fake.kind == kind
        assert json.loads(json.dumps(fake.parameters)) == fake.parameters


@every_kind
def test_a_fake_equals_its_real_exactly_outside_the_mask(kind, fakes_of):
    for fake in fakes_of(kind, seeds=range(20)):
        outside = fake.mask == 0
        assert np.array_equal(fake.image[outside], fake.real[outside])


@every_kind
def test_a_fake_differs_from_its_real_inside_the_mask(kind, fakes_of):
    for fake in fakes_of(kind):
        inside = fake.mask > 0
        assert np.abs(fake.image[inside].astype(int) - fake.real[inside]).mean() > 0.1


@every_kind
def test_masks_are_finite_and_on_the_face(kind, fakes_of, astronaut):
    five = astronaut[1]
    for fake in fakes_of(kind):
        if fake.parameters.get("region") == "whole":
            continue
        center = np.argwhere(fake.mask > 0.1).mean(axis=0)[::-1]
        assert np.linalg.norm(center - five.mean(axis=0)) < 0.35 * fake.mask.shape[0]
        assert fake.mask[:4].max() == 0
        assert 0.003 < (fake.mask > 0).mean() < 0.7


@every_kind
def test_everything_follows_from_the_generator(kind, fakes_of):
    for one, other in zip(fakes_of(kind, seeds=range(4)), fakes_of(kind, seeds=range(4)), strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.mask, other.mask)
        assert one.parameters == other.parameters


@every_kind
def test_seeds_give_different_fakes(kind, fakes_of):
    images = [fake.image.tobytes() for fake in fakes_of(kind)]
    assert len(set(images)) == len(images)


@every_kind
def test_image_landmarks_and_partner_are_left_unchanged(kind, astronaut, partner_for):
    image, five = astronaut[0].copy(), astronaut[1].copy()
    partner = partner_for[KINDS[kind].partner]
    before = None if partner is None else partner.image.copy()
    for seed in SEEDS:
        KINDS[kind].make(image, five, np.random.default_rng(seed), partner)
    assert np.array_equal(image, astronaut[0])
    assert np.array_equal(five, astronaut[1])
    assert before is None or np.array_equal(partner.image, before)


@every_kind
def test_the_number_of_draws_does_not_depend_on_the_pixels(kind, astronaut, partner_for):
    """So one seed treats the frames of a clip alike."""
    image, five = astronaut
    moved = np.ascontiguousarray(np.roll(image, 3, axis=1)[:, :, ::-1])
    for seed in SEEDS:
        generators = [np.random.default_rng(seed) for _ in range(2)]
        partner = partner_for[KINDS[kind].partner]
        KINDS[kind].make(image, five, generators[0], partner)
        KINDS[kind].make(moved, np.add(five, (3, 0)), generators[1], partner)
        assert generators[0].random() == generators[1].random()


@every_kind
def test_mesh_landmarks_with_depth_are_taken_too(kind, fakes_of, astronaut):
    mesh = np.column_stack([dense_points(astronaut[1]), np.zeros(468)])
    for with_five, with_mesh in zip(fakes_of(kind, range(2)), fakes_of(kind, range(2), landmarks=mesh), strict=True):
        assert np.array_equal(with_five.image, with_mesh.image)


@every_kind
def test_a_face_at_the_border_of_the_image_is_no_fault(kind, astronaut, partner_for):
    image, five = astronaut
    cut, points = np.ascontiguousarray(image[40:, 50:]), five - (50, 40)
    partner = partner_for[KINDS[kind].partner]
    if KINDS[kind].partner == "stored":
        partner = Partner(cv2.GaussianBlur(cut, (0, 0), 2))
    for seed in SEEDS:
        fake = KINDS[kind].make(cut, points, np.random.default_rng(seed), partner)
        outside = fake.mask == 0
        assert np.array_equal(fake.image[outside], fake.real[outside])


@every_kind
@pytest.mark.parametrize("landmarks", [np.zeros((4, 2)), np.zeros((468, 4)), np.zeros(10)])
def test_landmarks_of_another_shape_are_refused(kind, landmarks, fakes_of):
    with pytest.raises(PseudoFakeError, match=r"landmarks must have the shape \(5, 2\) or \(468, 2 or 3\), found"):
        fakes_of(kind, range(1), landmarks=landmarks)


@every_kind
def test_landmarks_that_are_not_finite_are_refused(kind, fakes_of):
    with pytest.raises(PseudoFakeError, match="landmarks must be finite; exclude faces without landmarks"):
        fakes_of(kind, range(1), landmarks=np.full((5, 2), np.nan))


@pytest.mark.parametrize("kind", [name for name, entry in KINDS.items() if entry.partner in ("face", "stored")])
def test_a_missing_partner_is_refused(kind, astronaut):
    with pytest.raises(PseudoFakeError, match=f"pseudo-fake {kind} needs a partner; give another face or"):
        KINDS[kind].make(*astronaut, np.random.default_rng(0))


def test_a_swap_partner_without_landmarks_is_refused(astronaut, hopper):
    with pytest.raises(PseudoFakeError, match="pseudo-fake swap needs the landmarks of its partner; give 5 or 468"):
        KINDS["swap"].make(*astronaut, np.random.default_rng(0), Partner(hopper[0]))


def test_a_stored_image_of_another_size_is_refused(astronaut, hopper):
    with pytest.raises(PseudoFakeError, match=r"needs a stored image of the crop's shape \(160, 160, 3\), found \(180"):
        KINDS["resynthesis"].make(*astronaut, np.random.default_rng(0), Partner(hopper[0]))
