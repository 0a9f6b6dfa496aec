"""What holds for every dataset's reader: links, unreadable folders, unused files, and how lists are encoded."""

import os
from dataclasses import replace

import pytest

from realface.core.errors import DatasetError, UnreadableFolderError
from realface.datasets.registry import scan_dataset

TEXT_SUFFIXES = {".txt", ".json", ".csv"}


def folders_in(root):
    return sorted(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())


def is_companion(folder, inventory):
    return any(companion in (folder, *folder.parents) for companion in inventory.companions)


def found(inventory):
    return replace(inventory, companions=frozenset())


def test_a_link_to_a_folder_is_read_like_the_folder(dataset_tree, tmp_path):
    name, root = dataset_tree
    before = scan_dataset(root, name)
    for number, folder in enumerate(folders_in(root)):
        moved = tmp_path / "elsewhere" / str(number)
        moved.parent.mkdir(exist_ok=True)
        folder.rename(moved)
        folder.symlink_to(moved)
        assert found(scan_dataset(root, name)) == found(before), folder
        folder.unlink()
        moved.rename(folder)


def test_a_link_that_leads_back_ends(dataset_tree):
    name, root = dataset_tree
    before = scan_dataset(root, name)
    (root / "loop").symlink_to(root)
    after = scan_dataset(root, name)
    assert (after.items, after.left_out) == (before.items, before.left_out)


def test_a_folder_that_cannot_be_read_is_an_error(dataset_tree, monkeypatch):
    name, root = dataset_tree
    before = scan_dataset(root, name)
    scandir, listdir = os.scandir, os.listdir
    for folder in [root, *folders_in(root)]:
        if is_companion(folder, before):
            continue

        def refuse(place, read, denied=folder):
            if os.fspath(place) == os.fspath(denied):
                raise PermissionError(13, "Permission denied", os.fspath(place))
            return read(place)

        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", lambda place=".", refuse=refuse: refuse(place, scandir))
            patch.setattr(os, "listdir", lambda place=".", refuse=refuse: refuse(place, listdir))
            for asked in (name, None):
                with pytest.raises(UnreadableFolderError, match=f"cannot read the folder {folder} "):
                    scan_dataset(root, asked)


def test_a_list_that_cannot_be_read_is_an_error(build_tree, tmp_path, monkeypatch):
    root = build_tree("celeb_df", tmp_path / "study")

    def refuse(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr("realface.datasets.celeb_df.read_text", lambda path, errors: refuse(path))
    with pytest.raises(UnreadableFolderError, match=r"cannot read .*List_of_testing_videos\.txt \(Permission denied\)"):
        scan_dataset(root)


def test_a_tree_as_it_should_be_has_no_unused_file(dataset_tree):
    name, root = dataset_tree
    assert scan_dataset(root, name).left_out == {}


def test_unused_files_are_counted_by_kind(dataset_tree):
    name, root = dataset_tree
    place = root / "notes" / "deep"
    place.mkdir(parents=True)
    for file in ("a.mp4", "b.MOV", "c.jpg", "readme.txt", "weights.tar.gz", "x.0001", "no_suffix", ".hidden"):
        (place / file).touch()
    assert scan_dataset(root, name).left_out == {
        "images": 1,
        "videos": 2,
        "other files (.gz)": 1,
        "other files (.txt)": 1,
        "other files (no usual suffix)": 2,
    }


def test_the_output_folder_is_not_counted(dataset_tree):
    name, root = dataset_tree
    (root / "faces").mkdir()
    (root / "faces" / "manifest.parquet").touch()
    assert scan_dataset(root, name, without=root / "faces").left_out == {}
    assert scan_dataset(root, name).left_out == {"other files (.parquet)": 1}


def test_a_byte_order_mark_changes_nothing(dataset_tree):
    name, root = dataset_tree
    before = scan_dataset(root, name)
    for file in root.rglob("*"):
        if file.suffix in TEXT_SUFFIXES:
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert scan_dataset(root, name) == before


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(dataset_tree, encoding):
    name, root = dataset_tree
    for file in root.rglob("*"):
        if file.suffix in TEXT_SUFFIXES and (text := file.read_text()):
            file.write_bytes(text.encode(encoding))
            with pytest.raises(DatasetError, match=rf"{file.name}: .*UTF-16 text; save it as UTF-8"):
                scan_dataset(root, name)
            file.write_text(text)
