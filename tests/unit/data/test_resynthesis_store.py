"""Re-synthesised faces on disk."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from realface.core.errors import MissingInputError, OutputExistsError, ResynthesisStoreError
from realface.data.resynthesis_store import (
    HEADER_NAME,
    IMAGES_NAME,
    INDEX_NAME,
    RenderedFace,
    ResynthesisHeader,
    ResynthesisStore,
    write_store,
)

SIDE = 16
KEYS = ["aa" * 32, "bb" * 32, "cc" * 32]
FRAME = np.array([[1.0, 0, -4], [0, 1, -2]])


def image(number):
    return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    header = ResynthesisHeader(network="autoencoder", side=SIDE, weights="ef" * 32, settings={"steps": 7})
    faces = [(key, RenderedFace(image(number), FRAME, "dense-7")) for number, key in enumerate(KEYS[:2])]
    assert write_store(tmp_path / "store", header, faces) == 2
    return tmp_path / "store"


def test_what_was_stored_is_read_bit_for_bit(folder):
    faces = ResynthesisStore(folder).faces([KEYS[1], KEYS[2], KEYS[0]])
    assert np.array_equal(faces.face(0), image(1))
    assert faces.face(1) is None
    assert np.array_equal(faces.face(2), image(0))
    assert faces.num_missing == 1


def test_a_store_knows_which_crops_it_contains(folder):
    store = ResynthesisStore(folder)
    assert len(store) == 2
    assert KEYS[0] in store
    assert KEYS[2] not in store


def test_faces_can_be_taken_in_another_order(folder):
    faces = ResynthesisStore(folder).faces(KEYS).take([2, 1])
    assert faces.face(0) is None
    assert np.array_equal(faces.face(1), image(1))


def test_a_rendering_comes_in_its_place_in_the_crop(folder):
    faces = ResynthesisStore(folder).faces(KEYS)
    partner = faces.partner(0, (30, 40, 3))
    assert partner.landmarks is None
    assert np.array_equal(partner.image[2:18, 4:20], image(0))
    assert partner.share.shape == (30, 40)
    assert partner.share[10, 12] == 1
    assert partner.share[0].max() == partner.share[:, :3].max() == 0
    assert faces.partner(2, (30, 40, 3)) is None


def test_an_artifact_names_weights_and_training_of_the_store(folder):
    assert ResynthesisStore(folder).origin == {
        "role": "re-synthesis",
        "name": "autoencoder that rendered real faces for pseudo-fakes",
        "sha256": "ef" * 32,
        "steps": 7,
    }


def test_an_empty_store_has_no_face(tmp_path):
    write_store(tmp_path / "store", ResynthesisHeader(network="autoencoder", side=SIDE), [])
    store = ResynthesisStore(tmp_path / "store")
    assert store.faces(KEYS).num_missing == 3
    assert store.faces(KEYS).face(0) is None
    assert "sha256" not in store.origin


def test_a_folder_that_is_not_empty_is_not_written_into(folder):
    with pytest.raises(OutputExistsError):
        write_store(folder, ResynthesisHeader(network="autoencoder", side=SIDE), [])


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match="folder of re-synthesised faces"):
        ResynthesisStore(tmp_path / "nothing")


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ResynthesisStoreError, match=r"has no header.json; pass a folder that `realface resynthesise`"):
        ResynthesisStore(tmp_path)


@pytest.mark.parametrize("text", ["{", json.dumps({"format": 2, "network": "a", "side": 1})])
def test_a_header_that_cannot_be_read_is_refused(folder, text):
    (folder / HEADER_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ResynthesisStoreError, match=r"header.json cannot be used"):
        ResynthesisStore(folder)


@pytest.mark.parametrize("damage", ["missing", "other columns"])
def test_a_damaged_index_is_refused(folder, damage):
    if damage == "missing":
        (folder / INDEX_NAME).unlink()
    else:
        pq.write_table(pa.table({"x": [1]}), folder / INDEX_NAME)
    with pytest.raises(ResynthesisStoreError, match=r"is damaged .*make it again with `realface resynthesise`"):
        ResynthesisStore(folder)


def test_images_that_were_cut_short_are_refused(folder):
    content = (folder / IMAGES_NAME).read_bytes()
    (folder / IMAGES_NAME).write_bytes(content[:-1])
    with pytest.raises(ResynthesisStoreError, match=r"faces.bin is not whole; make it again"):
        ResynthesisStore(folder)


def test_images_that_vanish_or_break_later_are_refused(folder):
    faces = ResynthesisStore(folder).faces(KEYS)
    size = (folder / IMAGES_NAME).stat().st_size
    (folder / IMAGES_NAME).write_bytes(bytes(size))
    with pytest.raises(ResynthesisStoreError, match=r"faces.bin: no image at byte 0; make it again"):
        faces.face(0)
    (folder / IMAGES_NAME).unlink()
    with pytest.raises(ResynthesisStoreError, match=r"faces.bin has vanished; make it again"):
        faces.face(0)
