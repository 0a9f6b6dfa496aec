"""Every text file that people write may start with a byte order mark, and UTF-16 is refused with a clear error.

The lists of data sets' folders have the same contract in `tests/unit/datasets/test_contract.py`.
"""

import json

import pytest

from realface.core.errors import RealfaceError
from realface.core.recipe import Section, load_recipe
from realface.manifest.importers.registry import import_list
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.metrics.score_table import ScoreTable

ROWS = [{"path": "a.png", "label": 0, "video": "ä"}, {"path": "b.png", "label": 1}]


class Recipe(Section):
    name: str = ""
    steps: int = 1


def manifest(folder, suffix):
    path = folder / f"m{suffix}"
    Manifest.from_rows(ROWS, root=folder, header=ManifestHeader(note="ü")).write(path)
    return path


def text(folder, name, content):
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def rows_of(path, **options):
    read = Manifest.read(path) if not options else import_list(path, **options)
    return read.table.to_pylist(), read.header


BENCH = {"Set": {"real": {"valid": {"v": {"label": "real", "frames": ["Set/a/b/1.png"]}}}}}
READERS = {
    "manifest csv": (lambda folder: manifest(folder, ".csv"), rows_of),
    "manifest json": (lambda folder: manifest(folder, ".json"), rows_of),
    "manifest jsonl": (lambda folder: manifest(folder, ".jsonl"), rows_of),
    "manifest header": (
        lambda folder: manifest(folder, ".json").with_name("m.header.json"),
        lambda path: rows_of(path.with_name("m.json")),
    ),
    "rffr": (
        lambda folder: text(folder, "l.json", '[{"path": "a.png", "label": 0}]'),
        lambda path: (rows_of(path, name="rffr"), rows_of(path, root=path.parent)),
    ),
    "fsfm": (
        lambda folder: text(folder, "l.txt", "ä b.png 0\nc.png 1\n"),
        lambda path: (rows_of(path, name="fsfm"), rows_of(path, root=path.parent)),
    ),
    "deepfakebench": (
        lambda folder: text(folder, "l.json", json.dumps(BENCH)),
        lambda path: (rows_of(path, name="deepfakebench"), rows_of(path, root=path.parent)),
    ),
    "recipe": (
        lambda folder: text(folder, "r.yaml", "name: ä\nsteps: 3\n"),
        lambda path: load_recipe(Recipe, path),
    ),
    "score table": (
        lambda folder: text(folder, "s.csv", "path,label,score\nä.png,0,0.5\n"),
        lambda path: ScoreTable.read(path).table.to_pylist(),
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_changes_nothing(name, tmp_path):
    build, read = READERS[name]
    path = build(tmp_path)
    before = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path) == before


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
@pytest.mark.parametrize("name", READERS)
def test_utf_16_is_refused_in_words(name, encoding, tmp_path):
    build, read = READERS[name]
    path = build(tmp_path)
    path.write_bytes(path.read_bytes().decode().encode(encoding))
    with pytest.raises(RealfaceError, match=rf"{path.name}.*(\n.*)?UTF-16 text; save it as UTF-8"):
        read(path)


def test_a_list_whose_form_is_not_named_is_refused_in_words_too(tmp_path):
    path = text(tmp_path, "l.txt", "a.png 0\n")
    path.write_bytes(path.read_text().encode("utf-16"))
    with pytest.raises(RealfaceError, match=r"l\.txt: UTF-16 text; save it as UTF-8"):
        import_list(path)
