import os
from importlib.metadata import EntryPoint

import pytest

from realface.core.errors import DatasetError, MissingInputError
from realface.datasets import registry
from realface.datasets.reader import Inventory
from realface.datasets.registry import choose_reader, known_readers


class AnythingReader:
    """Takes every folder, as another package might."""

    name = "anything"

    def list_missing(self, root):
        return []

    def scan(self, root):
        return Inventory(root, self.name, [])


class Backwards:
    """The entries of a folder, the last one first, as `os.scandir` gives them."""

    def __init__(self, entries):
        with entries:
            self._entries = list(entries)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def __iter__(self):
        return self

    def __next__(self):
        if not self._entries:
            raise StopIteration
        return self._entries.pop()


READER = AnythingReader()


def install_anything(monkeypatch):
    point = EntryPoint("anything", "its_package:READER", registry.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda _self: READER)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "realface.datasets" else [])


def test_a_dataset_is_detected(tmp_path):
    (tmp_path / "plain" / "real").mkdir(parents=True)
    (tmp_path / "ff" / "original_sequences" / "youtube" / "c23" / "videos").mkdir(parents=True)
    assert choose_reader(tmp_path / "plain").name == "plain"
    assert choose_reader(tmp_path / "ff").name == "faceforensics"


def test_the_tree_of_each_dataset_is_taken_for_no_other(dataset_tree):
    name, root = dataset_tree
    assert choose_reader(root).name == name
    assert choose_reader(root, name).name == name


def test_a_scan_does_not_depend_on_the_order_of_the_file_system(dataset_tree, monkeypatch):
    name, root = dataset_tree
    reader = choose_reader(root, name)
    before = reader.scan(root)
    listdir, scandir = os.listdir, os.scandir
    monkeypatch.setattr(os, "listdir", lambda place: listdir(place)[::-1])
    monkeypatch.setattr(os, "scandir", lambda place: Backwards(scandir(place)))
    after = reader.scan(root)
    assert (after.items, list(after.counts.items()), after.missing) == (
        before.items,
        list(before.counts.items()),
        before.missing,
    )


def test_every_dataset_has_a_small_tree(datasets_with_tree):
    assert datasets_with_tree == set(registry.READERS)


def test_a_dataset_can_be_named(tmp_path):
    (tmp_path / "real").mkdir()
    assert choose_reader(tmp_path, "plain").name == "plain"
    with pytest.raises(DatasetError, match="is not a faceforensics dataset: missing original_seq"):
        choose_reader(tmp_path, "faceforensics")


def test_an_unknown_name_is_refused_with_the_one_that_was_meant(tmp_path):
    with pytest.raises(DatasetError, match=r"unknown dataset 'faceforensic'; did you mean faceforensics\?"):
        choose_reader(tmp_path, "faceforensic")
    with pytest.raises(DatasetError, match="unknown dataset 'xyz'; known: plain, "):
        choose_reader(tmp_path, "xyz")


def test_for_an_unknown_folder_each_dataset_says_what_is_missing(tmp_path):
    root = tmp_path / "a" / "b"
    root.mkdir(parents=True)
    with pytest.raises(
        DatasetError, match=r"is not a known dataset:\n  plain: missing folder real, .*\n  facefor"
    ) as told:
        choose_reader(root)
    assert len(str(told.value).splitlines()) == 1 + len(known_readers())


@pytest.mark.parametrize(("given", "meant"), [("set/Celeb-real", "set"), (".", "set")])
def test_a_dataset_in_the_folder_above_or_below_is_named(tmp_path, given, meant):
    (tmp_path / "set" / "Celeb-real").mkdir(parents=True)
    with pytest.raises(DatasetError) as told:
        choose_reader(tmp_path / given)
    assert f"is not a known dataset, but {tmp_path / meant} is one (celeb_df):\n" in str(told.value)


def test_a_folder_that_matches_two_datasets_needs_a_name(tmp_path):
    (tmp_path / "fake").mkdir()
    (tmp_path / "original_sequences" / "youtube" / "c23" / "videos").mkdir(parents=True)
    with pytest.raises(DatasetError, match="matches several datasets: plain, faceforensics; choose one with --dataset"):
        choose_reader(tmp_path)


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(MissingInputError, match="gone does not exist"):
        choose_reader(tmp_path / "gone")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(DatasetError, match=r"a\.mp4 is a file; give the dataset's folder"):
        choose_reader(tmp_path / "a.mp4")


def test_another_package_can_add_a_dataset(tmp_path, monkeypatch):
    install_anything(monkeypatch)
    assert choose_reader(tmp_path) is READER
    assert choose_reader(tmp_path, "anything") is READER


def test_a_reader_that_cannot_be_loaded_is_named_and_stops_no_other(tmp_path, monkeypatch):
    point = EntryPoint("broken", "no_such_package:READER", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    (tmp_path / "real").mkdir()
    assert choose_reader(tmp_path, "plain").name == "plain"
    with pytest.raises(DatasetError, match=r"the dataset broken of another package, no_such_package:READER, cannot be"):
        choose_reader(tmp_path)
