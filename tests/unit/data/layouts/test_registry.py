import os
from importlib.metadata import EntryPoint

import pytest

from realface.core.errors import LayoutError, MissingInputError
from realface.data.layouts import registry
from realface.data.layouts.layout import Scan
from realface.data.layouts.registry import choose_layout, known_layouts


class AnythingLayout:
    """Takes every folder, as another package might."""

    name = "anything"

    def recognise(self, root):
        return []

    def scan(self, root):
        return Scan(root, self.name, [])


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


LAYOUT = AnythingLayout()


def install_anything(monkeypatch):
    point = EntryPoint("anything", "its_package:LAYOUT", registry.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda _self: LAYOUT)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "realface.layouts" else [])


def test_a_layout_is_recognised(tmp_path):
    (tmp_path / "plain" / "real").mkdir(parents=True)
    (tmp_path / "ff" / "original_sequences" / "youtube" / "c23" / "videos").mkdir(parents=True)
    assert choose_layout(tmp_path / "plain").name == "plain"
    assert choose_layout(tmp_path / "ff").name == "faceforensics"


def test_the_tree_of_each_layout_is_taken_for_no_other(layout_tree):
    name, root = layout_tree
    assert choose_layout(root).name == name
    assert choose_layout(root, name).name == name


def test_a_scan_does_not_depend_on_the_order_of_the_file_system(layout_tree, monkeypatch):
    name, root = layout_tree
    layout = choose_layout(root, name)
    before = layout.scan(root)
    listdir, scandir = os.listdir, os.scandir
    monkeypatch.setattr(os, "listdir", lambda place: listdir(place)[::-1])
    monkeypatch.setattr(os, "scandir", lambda place: Backwards(scandir(place)))
    after = layout.scan(root)
    assert (after.items, list(after.counts.items()), after.missing) == (
        before.items,
        list(before.counts.items()),
        before.missing,
    )


def test_every_layout_has_a_small_tree(layouts_with_tree):
    assert layouts_with_tree == set(registry.LAYOUTS)


def test_a_layout_can_be_named(tmp_path):
    (tmp_path / "real").mkdir()
    assert choose_layout(tmp_path, "plain").name == "plain"
    with pytest.raises(LayoutError, match="does not have the layout faceforensics: it lacks original_seq"):
        choose_layout(tmp_path, "faceforensics")


def test_an_unknown_name_is_refused_with_the_one_that_was_meant(tmp_path):
    with pytest.raises(LayoutError, match=r"no layout is called 'faceforensic'; did you mean faceforensics\?"):
        choose_layout(tmp_path, "faceforensic")
    with pytest.raises(LayoutError, match="no layout is called 'xyz'; known: plain, "):
        choose_layout(tmp_path, "xyz")


def test_a_folder_without_layout_is_told_what_each_lacks_in_a_line(tmp_path):
    root = tmp_path / "a" / "b"
    root.mkdir(parents=True)
    with pytest.raises(
        LayoutError, match=r"no layout that is known:\n  plain lacks a folder real, .*\n  facefor"
    ) as told:
        choose_layout(root)
    assert len(str(told.value).splitlines()) == 1 + len(known_layouts())


@pytest.mark.parametrize(("given", "meant"), [("set/Celeb-real", "set"), (".", "set")])
def test_a_folder_above_or_below_that_has_a_layout_is_named(tmp_path, given, meant):
    (tmp_path / "set" / "Celeb-real").mkdir(parents=True)
    with pytest.raises(LayoutError) as told:
        choose_layout(tmp_path / given)
    assert f"no layout that is known, but {tmp_path / meant} has that of celeb_df:\n" in str(told.value)


def test_a_folder_with_two_layouts_needs_a_name(tmp_path):
    (tmp_path / "fake").mkdir()
    (tmp_path / "original_sequences" / "youtube" / "c23" / "videos").mkdir(parents=True)
    with pytest.raises(LayoutError, match="fits several layouts: plain, faceforensics; name one with --layout"):
        choose_layout(tmp_path)


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(MissingInputError, match="gone does not exist"):
        choose_layout(tmp_path / "gone")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(LayoutError, match=r"a\.mp4 is a file; give the data set's folder"):
        choose_layout(tmp_path / "a.mp4")


def test_another_package_can_add_a_layout(tmp_path, monkeypatch):
    install_anything(monkeypatch)
    assert choose_layout(tmp_path) is LAYOUT
    assert choose_layout(tmp_path, "anything") is LAYOUT


def test_a_package_whose_layout_cannot_be_loaded_is_named_and_does_not_stop_ours(tmp_path, monkeypatch):
    point = EntryPoint("broken", "no_such_package:LAYOUT", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    (tmp_path / "real").mkdir()
    assert choose_layout(tmp_path, "plain").name == "plain"
    with pytest.raises(LayoutError, match=r"the layout broken of another package, no_such_package:LAYOUT, cannot be"):
        choose_layout(tmp_path)
