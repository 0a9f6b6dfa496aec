"""Computing the landmarks of a manifest's crops."""

import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.data.landmark_store import read_landmarks
from realface.evaluation import landmarks
from realface.evaluation.landmarks import store_landmarks
from realface.faces.cropper import crop_face
from realface.faces.detectors.face_detector import Face
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image

SPEC = CropSpec(size=64, margin=0.5)


@pytest.fixture
def write_crops(tmp_path):
    def write(**crops):
        rows = []
        for name, (image, extra) in crops.items():
            write_image(tmp_path / f"{name}.png", image)
            rows.append({"path": f"{name}.png", "label": 0} | extra)
        return Manifest.from_rows(rows, root=tmp_path, header=ManifestHeader(crop=SPEC))

    return write


@pytest.fixture
def portraits(astronaut, hopper, write_crops):
    return write_crops(astronaut=(astronaut[0], {}), hopper=(hopper[0], {}))


def key_of(manifest, row):
    from realface.data.crop_store import crop_keys

    return crop_keys(manifest)[row]


def test_the_mesh_lies_on_the_face(tmp_path, portraits, astronaut):
    result = store_landmarks(portraits, tmp_path / "l.parquet", quiet=True)
    assert (result.num_crops, result.num_computed, result.num_five, result.num_without_face) == (2, 2, 0, 0)
    face = read_landmarks(tmp_path / "l.parquet")[key_of(portraits, 0)]
    assert face.is_mesh
    assert face.traits.shape == (150,)
    nose = face.points[1].astype(float) * 160 - 0.5
    assert np.abs(nose - astronaut[1][2]).max() < 8


def test_a_second_call_computes_nothing_and_changes_no_byte(tmp_path, portraits, monkeypatch):
    store_landmarks(portraits, tmp_path / "l.parquet", quiet=True)
    before = (tmp_path / "l.parquet").read_bytes()
    monkeypatch.setattr(landmarks, "FaceMesh", None)
    assert store_landmarks(portraits, tmp_path / "l.parquet", quiet=True).num_computed == 0
    assert (tmp_path / "l.parquet").read_bytes() == before


def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path, portraits):
    store_landmarks(portraits, tmp_path / "whole.parquet", quiet=True)
    store_landmarks(portraits.take([1]), tmp_path / "part.parquet", quiet=True)
    assert store_landmarks(portraits, tmp_path / "part.parquet", quiet=True).num_computed == 1
    assert (tmp_path / "part.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_landmarks_of_other_stores_are_taken_over(tmp_path, portraits):
    store_landmarks(portraits, tmp_path / "known.parquet", quiet=True)
    result = store_landmarks(portraits, tmp_path / "l.parquet", known=[tmp_path / "known.parquet"], quiet=True)
    assert result.num_computed == 0
    assert (tmp_path / "known.parquet").read_bytes() == (tmp_path / "l.parquet").read_bytes()


def test_five_landmarks_replace_the_mesh_where_it_finds_no_face(tmp_path, write_crops):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    points = np.array([[80, 80], [120, 80], [100, 100], [85, 120], [115, 120]], dtype=np.float32)
    box = Box(60.0, 60.0, 140.0, 140.0)
    crop = crop_face(noise, Face(box, 1.0, points), SPEC)
    blank = np.full_like(crop, 90)
    place = {"box": list(box), "landmarks": points.ravel().tolist()}
    manifest = write_crops(noise=(crop, place), blank=(blank, {}))
    result = store_landmarks(manifest, tmp_path / "l.parquet", quiet=True)
    assert (result.num_five, result.num_without_face) == (1, 1)
    found = read_landmarks(tmp_path / "l.parquet")
    face = found[key_of(manifest, 0)]
    assert not face.is_mesh
    # the box of 80 pixels with its margin is 120 pixels of the image and 64 of the crop
    nose = face.points[1].astype(float) * 64
    assert np.abs(nose - (np.array([100, 100]) - 40) * 64 / 120).max() < 4
    assert found[key_of(manifest, 1)].points is None
