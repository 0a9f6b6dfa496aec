import json

import pytest

from realface.core.errors import ManifestError, MissingInputError
from realface.manifest.importers.rffr import read_rffr_list, write_rffr_list
from realface.manifest.manifest import Manifest


def test_a_list_is_read_relative_to_a_root(tmp_path):
    (tmp_path / "train.json").write_text('[{"path": "x/a.png", "label": 0}, {"path": "b.png", "label": 1}]')
    manifest = read_rffr_list(tmp_path / "train.json", root=tmp_path / "base", dataset="ff", split="train")
    assert manifest.file_of(0) == tmp_path / "base" / "x" / "a.png"
    assert manifest.labels.tolist() == [0, 1]
    assert (manifest.column("dataset"), manifest.column("split")) == (["ff", "ff"], ["train", "train"])
    assert manifest.header.crop.is_unknown


def test_without_root_paths_are_relative_to_the_list_and_nothing_else_is_known(tmp_path):
    (tmp_path / "test.json").write_text('[{"path": "a.png", "label": 0}, {"path": "/abs/b.png", "label": 1}]')
    manifest = read_rffr_list(tmp_path / "test.json")
    assert [str(manifest.file_of(row)) for row in range(2)] == [str(tmp_path / "a.png"), "/abs/b.png"]
    assert manifest.column("split") == [None, None]


def test_a_list_is_written_with_nothing_but_path_and_label(tmp_path):
    manifest = Manifest.from_rows([{"path": "a.png", "label": 1, "video": "v", "box": [0, 1, 2, 3]}], root=tmp_path)
    write_rffr_list(manifest, tmp_path / "relative.json")
    write_rffr_list(manifest, tmp_path / "absolute.json", absolute=True)
    assert json.loads((tmp_path / "relative.json").read_text()) == [{"path": "a.png", "label": 1}]
    assert json.loads((tmp_path / "absolute.json").read_text()) == [{"path": str(tmp_path / "a.png"), "label": 1}]
    assert not (tmp_path / "relative.header.json").exists()


def test_a_list_in_the_place_of_a_manifest_takes_its_header_away(tmp_path):
    manifest = Manifest.from_rows([{"path": "a.png", "label": 1}], root=tmp_path)
    manifest.write(tmp_path / "m.json")
    assert (tmp_path / "m.header.json").exists()
    write_rffr_list(manifest, tmp_path / "m.json")
    assert not (tmp_path / "m.header.json").exists()


def test_what_is_no_such_list_is_refused(tmp_path):
    (tmp_path / "bad.json").write_text('[{"path": "a.png", "label": 0}, {"path": "b.png", "label": "fake"}]')
    with pytest.raises(ManifestError, match=r'bad\.json: row 2: label must be 0 \(real\) or 1 \(fake\), got "fake"'):
        read_rffr_list(tmp_path / "bad.json")
    with pytest.raises(ManifestError, match=r"list\.txt: RFFR's lists end in \.json, got \.txt"):
        read_rffr_list(tmp_path / "list.txt")
    with pytest.raises(MissingInputError, match=r"gone\.json does not exist"):
        read_rffr_list(tmp_path / "gone.json")


def test_labels_the_wrong_way_round_are_refused(tmp_path):
    (tmp_path / "list.json").write_text('[{"path": "Celeb-real/a/1.png", "label": 1}, {"path": "b.png", "label": 0}]')
    with pytest.raises(ManifestError, match=r"list\.json: row 1: the list says 1 \(fake\), the path says real: Celeb-"):
        read_rffr_list(tmp_path / "list.json")
