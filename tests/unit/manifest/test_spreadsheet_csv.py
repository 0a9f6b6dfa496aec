"""CSV manifests after a spreadsheet program opened and saved them."""

import csv
import io

import pytest

from realface.core.errors import ManifestError
from realface.manifest.manifest import Manifest, ManifestHeader

HEADER = ManifestHeader(note="made of a, b; and c", skipped={"no face found": 3}, sources={"a.mp4": "0" * 64})
ROWS = [
    {"path": "a.png", "label": 0, "video": "a", "frame": 1, "time_s": 0.5, "identities": ["x", "y"]},
    {"path": "b, c.png", "label": 1, "video": "b", "box": [0.0, 1.0, 2.0, 3.0]},
]


def written(tmp_path):
    manifest = Manifest.from_rows(ROWS, root=tmp_path, header=HEADER)
    manifest.write(tmp_path / "m.csv")
    return manifest


def saved_again(path, *, delimiter=",", encoding="utf-8", is_filled=True):
    """Split every line at commas and write the cells as a spreadsheet does."""
    records = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    width = max(map(len, records)) if is_filled else 0
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows(record + [""] * (width - len(record)) for record in records)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("is_filled", [True, False])
def test_a_manifest_that_a_spreadsheet_saved_is_the_same(tmp_path, delimiter, encoding, is_filled):
    manifest = written(tmp_path)
    before = (tmp_path / "m.csv").read_bytes()
    saved_again(tmp_path / "m.csv", delimiter=delimiter, encoding=encoding, is_filled=is_filled)
    assert (tmp_path / "m.csv").read_bytes() != before
    back = Manifest.read(tmp_path / "m.csv")
    assert back.table.equals(manifest.table)
    assert back.header == manifest.header.model_copy(update={"root": "."})


def test_commas_behind_the_header_are_no_fault(tmp_path):
    manifest = written(tmp_path)
    first, rest = (tmp_path / "m.csv").read_text().split("\n", 1)
    (tmp_path / "m.csv").write_text(f"{first},,,,\n{rest}")
    assert Manifest.read(tmp_path / "m.csv").header.note == manifest.header.note


def test_empty_cells_at_the_end_of_some_rows_are_no_fault(tmp_path):
    (tmp_path / "m.csv").write_text("path,label\na.png,0,,\nb.png,1\n\nc.png,1,\n")
    assert Manifest.read(tmp_path / "m.csv").column("path") == ["a.png", "b.png", "c.png"]


def test_a_table_with_semicolons_and_no_header_is_read(tmp_path):
    (tmp_path / "m.csv").write_text('path;label;identities\n"a;b.png";0;x\n')
    manifest = Manifest.read(tmp_path / "m.csv")
    assert (manifest.column("path"), manifest.column("identities")) == (["a;b.png"], [["x"]])


def test_a_fault_in_a_tidied_table_is_named_by_its_line(tmp_path):
    written(tmp_path)
    saved_again(tmp_path / "m.csv", delimiter=";")
    text = (tmp_path / "m.csv").read_text()
    (tmp_path / "m.csv").write_text(text.replace("b, c.png;1", "b, c.png;7"))
    with pytest.raises(ManifestError, match=r"m\.csv:4: label must be 0 \(real\) or 1 \(fake\), got 7"):
        Manifest.read(tmp_path / "m.csv")


@pytest.mark.parametrize("change", [("{", "("), ('"note"', "note"), ('"root": ', '"root" ')])
def test_a_header_line_that_cannot_be_read_gives_one_short_line(tmp_path, change):
    written(tmp_path)
    text = (tmp_path / "m.csv").read_text()
    assert change[0] in text
    (tmp_path / "m.csv").write_text(text.replace(*change, 1))
    with pytest.raises(ManifestError) as told:
        Manifest.read(tmp_path / "m.csv")
    assert "header: not JSON, because the header line was changed, as spreadsheets do; export the manifest" in str(
        told.value
    )
    assert len(str(told.value)) < 300


def test_many_unknown_columns_are_named_in_one_short_line(tmp_path):
    (tmp_path / "m.csv").write_text(",".join(["path", "label", *(f"{n}{'x' * 200}" for n in range(50))]) + "\n")
    with pytest.raises(ManifestError, match=r"m\.csv: no such column '0x{39}\.\.\.'; known: .*; and 47 more$") as told:
        Manifest.read(tmp_path / "m.csv")
    assert len(str(told.value)) < 1000
