"""The contract of every dataset's reader, over the small trees of all datasets."""

import os
from dataclasses import replace

import pytest

from realface.core.errors import DatasetError, UnreadableFolderError
from realface.core.labels import Label
from realface.datasets import deeperforensics, dfd
from realface.datasets.registry import READERS, scan_dataset

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


UNKNOWN_PEOPLE = "videos whose name does not say who is in them"


@pytest.fixture
def study(build_tree, tmp_path, monkeypatch):
    """`study(name)` makes the small tree of a dataset, whose release is set to be as small."""
    monkeypatch.setitem(dfd.NUM_VIDEOS, Label.REAL, 2)
    monkeypatch.setitem(dfd.NUM_VIDEOS, Label.FAKE, 1)
    monkeypatch.setattr(deeperforensics, "VARIANTS", ("end_to_end", "end_to_end_level_1"))
    return lambda name: build_tree(name, tmp_path / "study")


def add(root, *places):
    """Make empty files, and folders where a place ends with a slash."""
    for place in places:
        path = root / place
        (path if place.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not place.endswith("/"):
            path.touch()


WHOLE = {
    "plain": {"real videos": 1, "fake videos": 1},
    "celeb_df": {
        "real videos, Celeb-real": 2,
        "fake videos, Celeb-synthesis": 2,
        "real videos, YouTube-real": 2,
        "test videos": 3,
    },
    "deeperforensics": {
        "real videos, source_videos": 2,
        "fake videos, end_to_end": 3,
        "fake videos, end_to_end_level_1": 3,
    },
    "dfd": {"real videos, actors c23": 2, "fake videos, DeepFakeDetection c23": 1},
    "dfdc": {"real videos, train": 2, "fake videos, train": 2, "real videos, test": 1, "fake videos, test": 1},
    "dfdc_preview": {"real videos, original_videos": 2, "fake videos, method_A": 1, "fake videos, method_B": 2},
    "ffiw": {
        "real videos, source train": 2,
        "real videos, source val": 1,
        "fake videos, target train": 2,
        "fake videos, target val": 1,
    },
    "forgerynet": {
        f"{label} {kind}, {split}": 1
        for split in ("train", "test")
        for kind in ("images", "videos")
        for label in ("real", "fake")
    },
}
"""Counts of the small trees that are complete; FaceForensics++ and the datasets of crops have tests of their own."""


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_tree_is_found_and_nothing_is_missing(name, study):
    inventory = READERS[name].scan(study(name))
    assert (inventory.counts, inventory.missing, inventory.are_crops) == (WHOLE[name], [], False)


@pytest.mark.parametrize(
    ("name", "places", "missing"),
    [
        ("celeb_df", ["YouTube-real/"], ["folder Celeb-real or Celeb-synthesis"]),
        ("deeperforensics", ["source_videos/M004/"], ["manipulated_videos/<variant>"]),
        ("dfd", ["actors/"], ["actors/<raw, c23 or c40>/videos", "DeepFakeDetection/<raw, c23 or c40>/videos"]),
        ("dfdc", ["test/"], ["dfdc_train_part_<N>/metadata.json", "test/ with labels.csv"]),
        ("dfdc_preview", ["original_videos/"], ["method_A or method_B"]),
        ("dfdc_preview", ["original_videos/", "dataset.json"], []),
        (
            "faceforensics",
            ["original_sequences/"],
            [
                "original_sequences/youtube/<raw, c23 or c40>/videos",
                "manipulated_sequences/<method>/<raw, c23 or c40>/videos",
            ],
        ),
        (
            "ffiw",
            ["target/x.mp4", "source/x.mp4"],
            ["target/train or target/val", "source/train or source/val"],
        ),
        ("ffiw", ["target/train/x.mp4", "source/x.mp4"], ["source/train or source/val"]),
        ("ffiw", ["target/train/x.mp4", "target_mask/train/x.mp4"], []),
        (
            "forgerynet",
            ["Training/image/1/x.jpg"],
            ["list .txt in Training/image or Training/video or Validation/image or Validation/video"],
        ),
    ],
)
def test_of_another_folder_the_reader_lists_what_is_missing(name, places, missing, tmp_path):
    add(tmp_path, *places)
    assert READERS[name].list_missing(tmp_path) == missing


@pytest.mark.parametrize(
    ("name", "places", "text"),
    [
        (
            "celeb_df",
            ["Youtube-real/00170.mp4"],
            r"00170\.mp4 and You[Tt]ube-real/00170\.mp4 are one video by their name",
        ),
        (
            "deeperforensics",
            ["manipulated_videos/end_to_end/again/000_M004.mp4"],
            "are one video by their name; keep one of them",
        ),
        (
            "df40",
            ["fsgan/ff/071_054/0.png", "fsgan/ff/frames/071_054/0.png"],
            "fsgan/ff/071_054 and fsgan/ff/frames/071_054 are one video by their name",
        ),
        (
            "dfd",
            ["original_sequences/actors/c23/videos/01__kitchen_pan.mp4"],
            r"actors/c23/videos/01__kitchen_pan\.mp4 and original.* are one video by",
        ),
        (
            "ffiw",
            ["target/train/00001.mp4"],
            r"00001\.mp4 and target/train/videos/00001\.mp4 are one video by their name",
        ),
    ],
)
def test_two_files_of_one_video_are_refused(name, places, text, study):
    root = study(name)
    add(root, *places)
    with pytest.raises(DatasetError, match=text):
        READERS[name].scan(root)


@pytest.mark.parametrize(("name", "group"), [("dfd", "actors"), ("faceforensics", "original_sequences/youtube")])
def test_raw_beside_c0_is_refused(name, group, study):
    root = study(name)
    add(root, f"{group}/raw/videos/a.mp4", f"{group}/c0/videos/a.mp4")
    with pytest.raises(DatasetError, match=f"{group} has both raw and c0, which are the same; keep one of them"):
        READERS[name].scan(root)


@pytest.mark.parametrize(
    ("name", "files", "split", "count"),
    [
        ("celeb_df", ["Celeb-synthesis/strange.mp4", "Celeb-real/other.mp4"], "train", UNKNOWN_PEOPLE),
        *(
            ("deeperforensics", [f"manipulated_videos/end_to_end/{stem}.mp4"], None, f"fake {UNKNOWN_PEOPLE}")
            for stem in ("strange", "00_M004", "000_M004_x", "M004_000")
        ),
        *(
            ("dfd", [f"DeepFakeDetection/c23/videos/{stem}.mp4"], "test", UNKNOWN_PEOPLE)
            for stem in ("01_02", "01__pan", "01_02__pan", "01_02_03__pan__X", "_02__pan__X", "01_02____X")
        ),
        ("faceforensics", ["manipulated_sequences/Deepfakes/c23/videos/strange.mp4"], None, UNKNOWN_PEOPLE),
    ],
)
def test_a_fake_whose_name_names_no_people_is_kept_and_counted(name, files, split, count, study):
    root = study(name)
    add(root, *files)
    inventory = READERS[name].scan(root)
    (strange,) = (item for item in inventory.items if item.source == root / files[0])
    assert (strange.label, strange.identities, strange.original, strange.split) == (Label.FAKE, (), None, split)
    assert inventory.counts[count] == len(files)


@pytest.mark.parametrize(
    ("name", "removed", "missing"),
    [
        (
            "celeb_df",
            ["YouTube-real/00170.mp4"],
            ["List_of_testing_videos.txt: 1 of its 3 videos are not here, such as YouTube-real/00170.mp4"],
        ),
        (
            "deeperforensics",
            ["manipulated_videos/end_to_end_level_1/000_M004.mp4"],
            ["manipulated_videos/end_to_end_level_1: 1 of the 3 videos of the split files, such as 000_M004"],
        ),
        (
            "dfd",
            [
                "actors/c23/videos/01__kitchen_pan.mp4",
                "DeepFakeDetection/masks/videos/01_02__kitchen_pan__ABCDEFGH.mp4",
            ],
            [
                "actors/c23/videos: 1 of the release's 2 videos",
                "DeepFakeDetection/masks/videos: the masks of 1 of 1 c23 fakes",
                "the originals of 1 fakes, such as 01__kitchen_pan of 01_02__kitchen_pan__ABCDEFGH",
            ],
        ),
        (
            "dfdc",
            ["dfdc_train_part_0/aaa.mp4"],
            [
                "dfdc_train_part_0: 1 of the 2 videos of dfdc_train_part_0/metadata.json, such as aaa.mp4",
                "the originals of 1 fakes, such as aaa of bbb",
            ],
        ),
        (
            "dfdc_preview",
            ["method_A/10/10_A/30_10_A_001.mp4"],
            [
                "method_A: no videos",
                "dataset.json: 1 of its 5 videos are not here, such as method_A/10/10_A/30_10_A_001.mp4",
            ],
        ),
        (
            "ffiw",
            ["source/val/videos/00001.mp4"],
            [
                "source/val: no videos",
                "the originals of 1 fakes, such as source/val/00001 of target/val/00001",
            ],
        ),
    ],
)
def test_files_that_the_release_contains_and_the_folder_does_not_are_named(name, removed, missing, study):
    root = study(name)
    for path in removed:
        (root / path).unlink()
    assert READERS[name].scan(root).missing == missing
