"""Finding meshes in crops, drawing pairs, contact sheets."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data

from realface.core.errors import PseudoFakeError
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.resynthesis_store import StoredRenderings
from realface.evaluation.pseudo_fakes import CELL, available_kinds, contact_sheet, draw_pairs, find_faces


@pytest.fixture(scope="module")
def found():
    crop = skimage.data.astronaut()[30:200, 140:310].copy()
    return find_faces([crop, np.zeros_like(crop), crop[:, ::-1].copy()], ["a", "nobody", "b"])


def test_crops_without_a_face_are_left_out_and_counted(found):
    assert found.num_without_face == 1
    assert list(found.identities) == ["a", "b"]
    assert [points.shape for points in found.landmarks] == [(468, 3)] * 2


def test_no_face_at_all_is_refused():
    with pytest.raises(PseudoFakeError, match="none of 2 crops shows a face; give crops of faces with a margin of"):
        find_faces([np.zeros((64, 64, 3), np.uint8)] * 2, ["a", "b"])


def test_pairs_are_drawn_over_as_many_epochs_as_needed(found):
    pairs, degradations = draw_pairs("mouth", found.real_faces(), 5, input_size=96)
    assert len(pairs) == len(degradations) == 5
    assert {pair.kind for pair in pairs} == {"mouth"}
    assert len({pair.image.tobytes() for pair in pairs}) == 5


def test_pairs_follow_from_the_seed(found):
    one, other, third = (draw_pairs("swap", found.real_faces(), 2, seed=seed, input_size=96)[0] for seed in (1, 1, 2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0].image, third[0].image)


def test_kinds_that_need_stored_images_are_not_available():
    assert set(available_kinds()) == KINDS.keys() - {"resynthesis"}


def test_stored_images_make_all_kinds_available():
    assert available_kinds(with_stored=True) == list(KINDS)


def renderings(*is_there):
    number = len(is_there)
    return StoredRenderings(
        Path("store"), np.array(is_there), np.zeros((number, 2), np.int64), np.zeros((number, 2, 3))
    )


def test_crops_without_a_re_synthesis_are_left_out_and_counted(found):
    again = find_faces([found.images[0], found.images[1]], ["a", "b"], renderings(False, True))
    assert (again.num_not_rendered, again.num_without_face) == (1, 0)
    assert list(again.identities) == ["b"]
    assert again.renderings.is_there.tolist() == [True]


def test_a_store_of_other_crops_is_refused(found):
    with pytest.raises(PseudoFakeError, match=r"store contains none of 1 crops; run `realface resynthesise` on their"):
        find_faces([found.images[0]], ["a"], renderings(False))


def test_a_contact_sheet_shows_four_images_of_each_pair(found):
    pairs, _ = draw_pairs("parts", found.real_faces(), 3, input_size=96)
    sheet = contact_sheet(pairs)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] > 2 * 4 * CELL
    assert sheet.shape[0] > 2 * CELL
    assert np.array_equal(sheet, contact_sheet(pairs))
