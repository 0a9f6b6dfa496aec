"""Pairs of a real face and its fake."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from realface.data.pairs import REAL_FAKE, RENDERED_SHARE, PairDataset, RealFaces
from realface.data.pseudo_fakes.contract import Partner
from realface.data.pseudo_fakes.mixture import PseudoFakesSection
from realface.data.pseudo_fakes.partners import PartnerPool, face_traits

SIZE = 96


@pytest.fixture
def faces(astronaut, hopper):
    crops = [astronaut, hopper]
    traits = np.stack([face_traits(*crop) for crop in crops])

    def build(*, partners=True, stored=None):
        return RealFaces(
            num_faces=2,
            image=lambda row: crops[row][0],
            landmarks=lambda row: crops[row][1],
            partners=PartnerPool(traits, ["astronaut", "hopper"]) if partners else None,
            stored=stored,
        )

    return build


def dataset(faces, *, epoch=0, seed=0, **settings):
    pairs = PairDataset(faces, PseudoFakesSection(**settings), input_size=SIZE, seed=seed)
    pairs.set_epoch(epoch)
    return pairs


def test_a_pair_has_the_documented_form(faces):
    pairs = dataset(faces())
    assert len(pairs) == 2
    item = pairs[1]
    assert item["real"].shape == item["fake"].shape == (3, SIZE, SIZE)
    assert item["mask"].shape == (1, SIZE, SIZE)
    assert item["real"].dtype == item["fake"].dtype == item["mask"].dtype == torch.float32
    assert item["row"] == 1
    assert 0 <= float(item["real"].min()) <= float(item["real"].max()) <= 1


def test_a_pair_follows_from_seed_epoch_and_row(faces):
    for epoch in range(3):
        one, other = dataset(faces(), epoch=epoch)[0], dataset(faces(), epoch=epoch)[0]
        assert torch.equal(one["real"], other["real"])
        assert torch.equal(one["fake"], other["fake"])
    firsts = [dataset(faces(), epoch=epoch, seed=seed)[0]["fake"] for epoch in (0, 1) for seed in (0, 1)]
    assert len({tensor.numpy().tobytes() for tensor in firsts}) == 4


def test_without_degradations_a_pair_is_equal_outside_the_mask(faces):
    for epoch in range(12):
        item = dataset(faces(), epoch=epoch, degradations=None)[epoch % 2]
        outside = (item["mask"] == 0).expand(3, -1, -1)
        assert torch.equal(item["real"][outside], item["fake"][outside])


def test_one_draw_of_degradations_is_applied_to_both_images(faces):
    noise = {"probability": 1, "max_operators": 1, "operators": {"gaussian_noise": 1}}
    for epoch in range(6):
        item = dataset(faces(), epoch=epoch, degradations=noise)[0]
        outside = (item["mask"] == 0).expand(3, -1, -1)
        assert torch.equal(item["real"][outside], item["fake"][outside])


def test_half_of_the_pairs_are_mirrored_with_their_mask(faces):
    plain = [dataset(faces(), epoch=epoch, flip=0, degradations=None)[0] for epoch in range(30)]
    some = [dataset(faces(), epoch=epoch, flip=0.5, degradations=None)[0] for epoch in range(30)]
    flipped = [not torch.equal(one["real"], other["real"]) for one, other in zip(plain, some, strict=True)]
    assert 6 < sum(flipped) < 24
    for one, other, is_flipped in zip(plain, some, flipped, strict=True):
        if is_flipped:
            assert torch.equal(other["fake"].flip(2), one["fake"])
            assert torch.equal(other["mask"].flip(2), one["mask"])


def test_without_partners_swaps_become_self_blends(faces):
    settings = {"kinds": {"swap": 1}, "degradations": None}
    assert dataset(faces(), **settings)[0]["kind"] == "swap"
    assert dataset(faces(partners=False), **settings)[0]["kind"] == "self_blend"


def test_resynthesis_uses_the_window_of_its_crop(faces, astronaut):
    blurred = cv2.GaussianBlur(astronaut[0], (0, 0), 4)
    settings = {"kinds": {"resynthesis": 1}, "degradations": None, "window": (0.6, 0.7)}
    for epoch in range(6):
        item = dataset(faces(stored=lambda row, shape: Partner(blurred)), epoch=epoch, **settings)[0]
        assert item["kind"] == "resynthesis"
        # a blurred face in another window would differ far more
        assert float((item["fake"] - item["real"]).abs().mean()) < 0.06


def test_a_face_without_a_stored_re_synthesis_becomes_a_self_blend(faces):
    settings = {"kinds": {"resynthesis": 1}, "degradations": None}
    assert dataset(faces(stored=lambda row, shape: None), **settings)[0]["kind"] == "self_blend"


def green(row, shape):
    """A re-synthesis that is valid in its middle only, and red where it is not."""
    image, share = np.zeros((*shape[:2], 3), np.uint8), np.zeros(shape[:2], np.float32)
    image[..., 0] = 255
    middle = np.s_[shape[0] * 2 // 5 : shape[0] * 3 // 5, shape[1] * 2 // 5 : shape[1] * 3 // 5]
    image[middle], share[middle] = (0, 255, 0), 1
    return Partner(image, share=share)


def donors(faces, *, number=200):
    pairs = dataset(faces, kinds={"swap": 1}, degradations=None)
    for epoch in range(number):
        pairs.set_epoch(epoch)
        yield pairs.draw(0)[0]


def test_a_share_of_swaps_pastes_the_re_synthesis_of_the_partner(faces):
    asked = []

    def stored(row, shape):
        asked.append((row, shape))
        return green(row, shape)

    found = [pair.parameters["donor"] for pair in donors(faces(stored=stored))]
    assert np.mean([donor == "re-synthesis" for donor in found]) == pytest.approx(RENDERED_SHARE, abs=0.1)
    assert set(asked) == {(1, (180, 180, 3))}  # the donor's crop, in its own size


def test_swaps_are_the_same_with_a_store_that_contains_none_of_the_partners(faces):
    without = list(donors(faces(), number=20))
    empty = list(donors(faces(stored=lambda row, shape: None), number=20))
    assert [pair.parameters for pair in without] == [pair.parameters for pair in empty]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(without, empty, strict=True))
    assert {pair.parameters["donor"] for pair in without} == {"crop"}


def test_only_the_rendered_part_of_a_donor_is_pasted(faces):
    rendered = [pair for pair in donors(faces(stored=green)) if pair.parameters["donor"] == "re-synthesis"]
    shares = [float((pair.mask > 0).mean()) for pair in rendered]
    assert 0 < max(shares) < 0.08  # the valid square is 4 % of the donor's crop
    whole = [float((pair.mask > 0).mean()) for pair in donors(faces()) if pair.parameters["region"] == "low_hull"]
    assert np.mean(whole) > 0.1


def test_a_smaller_window_shows_less_of_the_crop(faces, astronaut):
    settings = {"degradations": None, "flip": 0, "kinds": {"mouth": 1}, "averaged": 1}
    whole = dataset(faces(), window=(1, 1), **settings)[0]["real"]
    expected = cv2.resize(astronaut[0], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert np.array_equal((whole.permute(1, 2, 0) * 255).round().numpy(), expected)
    part = dataset(faces(), window=(0.6, 0.6), **settings)[0]["real"]
    assert not torch.equal(part, whole)


def test_windows_are_shrunk_in_both_ways_that_crops_are(faces, astronaut):
    settings = {"degradations": None, "flip": 0, "kinds": {"mouth": 1}, "window": (1, 1)}
    ways = {
        name: cv2.resize(astronaut[0], (SIZE, SIZE), interpolation=way)
        for name, way in (("areas", cv2.INTER_AREA), ("bilinear", cv2.INTER_LINEAR))
    }
    found = set()
    for epoch in range(12):
        shown = (dataset(faces(), epoch=epoch, **settings)[0]["real"].permute(1, 2, 0) * 255).round().numpy()
        found.add(next(name for name, image in ways.items() if np.array_equal(shown, image)))
    assert found == {"areas", "bilinear"}


def with_fake_of_the_first(faces, fake):
    return replace(faces(), fake=lambda row, _: fake if row == 0 else None)


def test_a_real_fake_is_cut_and_mirrored_as_its_real(faces):
    own = faces()
    plain = PseudoFakesSection(degradations=None)
    for epoch in range(8):
        pairs = PairDataset(with_fake_of_the_first(faces, own.image(0)), plain, input_size=SIZE, seed=0, real_fakes=1)
        pairs.set_epoch(epoch)
        item = pairs[0]
        assert item["kind"] == REAL_FAKE
        assert torch.equal(item["real"], item["fake"])
        assert (item["mask"] == -1).all()


def test_a_real_fake_of_another_size_is_resized_to_its_real(faces):
    fake = np.zeros((30, 40, 3), np.uint8)
    pairs = PairDataset(
        with_fake_of_the_first(faces, fake),
        PseudoFakesSection(degradations=None),
        input_size=SIZE,
        seed=0,
        real_fakes=1,
    )
    assert pairs[0]["fake"].shape == (3, SIZE, SIZE)
    assert not pairs[0]["fake"].any()


def test_a_face_without_real_fakes_is_paired_with_a_pseudo_fake(faces):
    fake = np.zeros((64, 64, 3), np.uint8)
    pairs = PairDataset(
        with_fake_of_the_first(faces, fake),
        PseudoFakesSection(kinds={"mouth": 1}),
        input_size=SIZE,
        seed=0,
        real_fakes=1,
    )
    assert pairs[1]["kind"] == "mouth"


def test_real_fakes_are_drawn_with_their_probability(faces):
    found = with_fake_of_the_first(faces, np.zeros((64, 64, 3), np.uint8))
    pairs = PairDataset(found, PseudoFakesSection(kinds={"mouth": 1}), input_size=SIZE, seed=0, real_fakes=0.5)
    kinds = []
    for epoch in range(40):
        pairs.set_epoch(epoch)
        kinds.append(pairs[0]["kind"])
    assert 10 < kinds.count(REAL_FAKE) < 30


def test_pseudo_fakes_do_not_depend_on_fakes_that_are_not_used(faces):
    found = with_fake_of_the_first(faces, np.zeros((64, 64, 3), np.uint8))
    unused = PairDataset(found, PseudoFakesSection(), input_size=SIZE, seed=0)
    assert torch.equal(unused[0]["fake"], dataset(faces())[0]["fake"])
