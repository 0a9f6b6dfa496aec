"""Landmarks of crops in a Parquet file."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from realface.core.errors import ManifestError
from realface.data.landmark_store import StoredFace, read_landmarks, write_landmarks


@pytest.fixture
def faces():
    rng = np.random.default_rng(0)
    points = rng.random((468, 2)).astype(np.float16)
    return {
        "b": StoredFace(points, rng.random(150).astype(np.float32)),
        "a": StoredFace(points[::-1], rng.random(150).astype(np.float32), is_mesh=False),
        "c": StoredFace(None, None, is_mesh=False),
    }


def test_a_store_gives_back_what_was_written(tmp_path, faces):
    write_landmarks(tmp_path / "l.parquet", faces, order=["b", "a", "c"])
    found = read_landmarks(tmp_path / "l.parquet")
    assert list(found) == ["b", "a", "c"]
    for key in "ab":
        assert np.array_equal(found[key].points, faces[key].points)
        assert np.array_equal(found[key].traits, faces[key].traits)
        assert found[key].is_mesh == faces[key].is_mesh
    assert found["c"].points is None


def test_repeated_and_unknown_keys_of_the_order_are_skipped(tmp_path, faces):
    write_landmarks(tmp_path / "l.parquet", faces, order=["a", "x", "a", "b"])
    assert list(read_landmarks(tmp_path / "l.parquet")) == ["a", "b"]


def test_the_same_faces_give_the_same_bytes(tmp_path, faces):
    for name, order in (("one", "abc"), ("two", "abc")):
        write_landmarks(tmp_path / name, faces if name == "one" else dict(reversed(faces.items())), order=order)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_missing_file_is_an_empty_store(tmp_path):
    assert read_landmarks(tmp_path / "l.parquet") == {}


def test_a_file_of_another_format_gives_no_landmarks(tmp_path, faces):
    write_landmarks(tmp_path / "l.parquet", faces, order="abc")
    table = pq.read_table(tmp_path / "l.parquet").replace_schema_metadata({"realface.landmarks": "0"})
    pq.write_table(table, tmp_path / "l.parquet")
    assert read_landmarks(tmp_path / "l.parquet") == {}


def test_a_damaged_store_is_refused(tmp_path):
    (tmp_path / "l.parquet").write_bytes(b"PAR1")
    with pytest.raises(ManifestError, match=r"l\.parquet is damaged .*; remove it, and it is made again"):
        read_landmarks(tmp_path / "l.parquet")
