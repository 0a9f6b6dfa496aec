from importlib.metadata import EntryPoint

import pytest
import torch

from realface.core.crop_spec import CropSpec
from realface.core.errors import ManifestError, MissingInputError
from realface.manifest.importers import registry
from realface.manifest.importers.registry import IMPORTERS, choose_importer, import_list
from realface.manifest.manifest import Manifest, ManifestHeader


def one_of_each(folder):
    (folder / "rffr.json").write_text('\ufeff [{"path": "a.png", "label": 1}]')
    torch.save([("a.png", 1)], folder / "recce.pickle")
    (folder / "fsfm.txt").write_text("\na.png 1\n")
    (folder / "deepfakebench.json").write_text('{"S": {"S_fake": {"test": {"v": {"frames": ["a.png"]}}}}}')
    return {name: folder / f"{name}{suffix}" for name, suffix in zip(IMPORTERS, SUFFIXES, strict=True)}


SUFFIXES = (".json", ".pickle", ".txt", ".json")


class AnythingImporter:
    """Takes every file, as another package might."""

    name = "anything"

    def list_missing(self, path):
        return []


READER = AnythingImporter()


def install_anything(monkeypatch):
    point = EntryPoint("anything", "its_package:READER", registry.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda _self: READER)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "realface.importers" else [])


def test_every_list_is_detected_as_itself_only_and_gives_the_same_manifest(tmp_path):
    for name, path in one_of_each(tmp_path).items():
        assert choose_importer(path).name == name
        for named in (name, None):
            manifest = import_list(path, name=named)
            assert (manifest.file_of(0), manifest.labels.tolist()) == (tmp_path / "a.png", [1])
            assert manifest.header.crop.is_unknown


def test_a_manifest_of_ours_is_read_with_its_header(tmp_path):
    header = ManifestHeader(crop=CropSpec())
    for name in ("m.parquet", "m.json", "m.csv", "m.jsonl"):
        Manifest.from_rows([{"path": "a.png", "label": 1}], root=tmp_path, header=header).write(tmp_path / name)
        assert import_list(tmp_path / name).header.crop == CropSpec()


def test_an_unknown_name_is_refused_with_the_one_that_was_meant(tmp_path):
    with pytest.raises(ManifestError, match=r"unknown list format 'rece'; did you mean recce\?"):
        choose_importer(tmp_path, "rece")
    with pytest.raises(ManifestError, match="unknown list format 'xyz'; known: rffr, recce, fsfm, deepfakebench"):
        choose_importer(tmp_path, "xyz")


def test_an_unknown_file_is_told_what_each_list_would_need(tmp_path):
    (tmp_path / "List_of_testing_videos.txt").write_text("1 YouTube-real/00170.mp4\n")
    with pytest.raises(
        ManifestError, match=r"neither a manifest \(\.parquet, .*rffr: missing .*; fsfm: missing first line"
    ):
        import_list(tmp_path / "List_of_testing_videos.txt")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"list .*gone\.txt does not exist"):
        import_list(tmp_path / "gone.txt")
    with pytest.raises(ManifestError, match="is a folder; give the list's file, or prepare the folder with `real"):
        import_list(tmp_path, name="recce")


def test_another_package_can_add_a_list_and_two_that_fit_need_a_name(tmp_path, monkeypatch):
    install_anything(monkeypatch)
    (tmp_path / "a.txt").write_text("a.png 1")
    assert choose_importer(tmp_path / "a.txt", "anything") is READER
    with pytest.raises(ManifestError, match="matches several list formats: anything, fsfm; choose one with --from"):
        choose_importer(tmp_path / "a.txt")
