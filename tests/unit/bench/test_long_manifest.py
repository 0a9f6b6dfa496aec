from pathlib import Path

import pytest

from realface.bench.long_manifest import write_long_manifest
from realface.manifest.leaks import find_leaks
from realface.manifest.manifest import Manifest
from realface.manifest.schema import COLUMNS

NUM_ROWS = 200


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("long") / "manifest.parquet"
    assert write_long_manifest(path, NUM_ROWS) == 7  # of 32 rows, the last of 8
    return Manifest.read(path)


def test_it_has_the_rows_and_every_column_has_values(manifest: Manifest) -> None:
    assert len(manifest) == NUM_ROWS
    assert [name for name in COLUMNS if manifest.columns[name].null_count == NUM_ROWS] == []
    assert len(manifest.header.sources) == 7
    assert len(manifest.distinct("path")) == len(manifest.distinct("sha256")) == NUM_ROWS


def test_half_of_the_videos_are_fakes_with_masks(manifest: Manifest) -> None:
    labels = manifest.labels.tolist()
    assert labels[:64] == [0] * 32 + [1] * 32
    assert [mask is not None for mask in manifest.column("mask")] == [label == 1 for label in labels]
    assert manifest.column("original")[32] == manifest.column("video")[0]


def test_paths_and_hashes_are_as_long_as_prepared_ones(manifest: Manifest) -> None:
    assert all(50 <= len(path) <= 90 for path in manifest.column("path"))
    assert {len(digest) for digest in manifest.column("sha256")} == {64}


def test_a_real_and_its_fake_are_in_one_split(manifest: Manifest) -> None:
    assert {leak.kind for leak in find_leaks(manifest)} <= {"identity"}


def test_it_is_the_same_every_time(manifest: Manifest, tmp_path: Path) -> None:
    write_long_manifest(tmp_path / "again.parquet", NUM_ROWS)
    assert Manifest.read(tmp_path / "again.parquet").sha256() == manifest.sha256()
