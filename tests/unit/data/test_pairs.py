"""Pairs of a real face and its fake."""

import cv2
import numpy as np
import pytest
import torch

from realface.data.pairs import PairDataset, RealFaces
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
        item = dataset(faces(stored=lambda row: blurred), epoch=epoch, **settings)[0]
        assert item["kind"] == "resynthesis"
        # a blurred face in another window would differ far more
        assert float((item["fake"] - item["real"]).abs().mean()) < 0.06


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
