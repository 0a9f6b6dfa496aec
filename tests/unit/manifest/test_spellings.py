"""Splits and identities as people write them by hand."""

import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from realface.core.errors import ManifestError
from realface.manifest.manifest import Manifest
from realface.manifest.splits import split_again, split_by_identity

SPLITS = ["train", "Training", "valid", "validation", "VAL", "dev", "testing", "fold_1", None]
CANONICAL = ["train", "train", "val", "val", "val", "val", "test", "fold_1", None]
FORMATS = [".csv", ".json", ".jsonl", ".parquet"]


def write(folder, suffix, column, values):
    """A file with this column as somebody else would write it, without our own writers."""
    rows = [{"path": f"{n}.png", "label": n % 2, column: value} for n, value in enumerate(values)]
    path = folder / f"m{suffix}"
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".csv":
        lines = [f'{row["path"]},{row["label"]},"{row[column]}"' for row in rows if row[column] is not None]
        lines += [f"{row['path']},{row['label']}," for row in rows if row[column] is None]
        path.write_text("\n".join([f"path,label,{column}", *lines]) + "\n")
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_spelling_of_a_split_is_read_as_one_split(tmp_path, suffix):
    manifest = Manifest.read(write(tmp_path, suffix, "split", SPLITS))
    assert manifest.column("split") == CANONICAL
    assert [len(manifest.filter(split=name)) for name in ("dev", "Val", "train", "fold_1")] == [4, 4, 2, 1]


def test_a_split_that_is_set_is_spelt_in_the_usual_way(tmp_path):
    manifest = Manifest.from_rows([{"path": "a.png", "label": 0}, {"path": "b.png", "label": 1}], root=tmp_path)
    assert manifest.filled(split="Validation").column("split") == ["val", "val"]
    assert manifest.with_column("split", ["dev", "held"]).column("split") == ["val", "held"]


def build(num, **more):
    return Manifest.from_rows(
        [{"path": f"{n}.png", "label": n % 2, "video": str(n), **more} for n in range(num)], root="."
    )


def test_rows_are_dealt_out_to_splits_of_the_usual_names():
    dealt = split_by_identity(build(8), {"training": 0.5, "valid": 0.5}, seed=0)
    assert set(dealt.column("split")) == {"train", "val"}
    again = split_again(dealt, "training", {"Train": 0.5, "testing": 0.5}, seed=0)
    assert set(again.column("split")) == {"train", "val", "test"}


def test_two_spellings_of_one_split_in_the_fractions_are_refused():
    with pytest.raises(ManifestError, match="fractions: val and dev are one split, val; give each split once"):
        split_by_identity(build(8), {"val": 0.5, "dev": 0.5}, seed=0)
    with pytest.raises(ManifestError, match="fractions: valid and dev are one split, val"):
        split_again(build(8, split="train"), "train", {"valid": 0.5, "dev": 0.5}, seed=0)


@pytest.mark.parametrize("suffix", FORMATS)
def test_identities_may_be_one_text(tmp_path, suffix):
    manifest = Manifest.read(write(tmp_path, suffix, "identities", ["alice", "alice;bob", " a b ; c;", "071"]))
    assert manifest.column("identities") == [["alice"], ["alice", "bob"], ["a b", "c"], ["071"]]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_comma_between_identities_is_refused(tmp_path, suffix):
    with pytest.raises(
        ManifestError,
        match=r'identities must be separated by semicolons or be a JSON list such as \["a", "b"\], got \'alice, bob\'',
    ):
        Manifest.read(write(tmp_path, suffix, "identities", ["eve", "alice, bob"])).column("identities")


def test_lists_texts_and_nothing_may_stand_together(tmp_path):
    (tmp_path / "m.csv").write_text(
        'path,label,identities\na,0,"[""x"", ""y""]"\nb,0,x;y\nc,0,\nd,0,"[]"\ne,0,null\nf,0,""\n'
    )
    assert Manifest.read(tmp_path / "m.csv").column("identities") == [["x", "y"], ["x", "y"], None, [], None, []]
    rows = [{"path": "a", "label": 0, "identities": value} for value in (["x"], "y;z", None)]
    assert Manifest.from_rows(rows, root=tmp_path).column("identities") == [["x"], ["y", "z"], None]
