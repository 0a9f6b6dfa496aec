from pathlib import Path

import pytest

from realface.core.errors import MediaError, MissingInputError
from realface.media.discovery import find_media


def touched(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_files_stay_as_named_and_in_the_order_named(tmp_path: Path):
    paths = touched(tmp_path, "b.jpg", "a.jpg", "notes.xyz")
    assert find_media(paths) == paths


def test_folders_are_searched_with_their_subfolders(tmp_path: Path):
    paths = touched(tmp_path, "a.JPG", "ordner mit ä/b.mp4", "ordner mit ä/deep/c.png")
    touched(tmp_path, "readme.txt", "ordner mit ä/frames.csv")
    assert find_media([tmp_path]) == paths


def test_numbers_in_names_are_ordered_by_value(tmp_path: Path):
    paths = touched(tmp_path, "a2.png", "a10.png", "B1.png", "v2/f9.png", "v2/f10.png", "v10/f1.png")
    assert find_media([tmp_path]) == paths


def test_names_that_differ_in_zeros_only_have_a_fixed_order(tmp_path: Path):
    touched(tmp_path, "a1.png", "a01.png", "a001.png")
    assert [path.name for path in find_media([tmp_path])] == ["a001.png", "a01.png", "a1.png"]


def test_a_name_that_starts_with_a_number_goes_with_one_that_does_not(tmp_path: Path):
    paths = touched(tmp_path, "1.png", "a.png", "²x.png")
    assert find_media([tmp_path]) == paths


def test_hidden_files_and_folders_are_left_out(tmp_path: Path):
    paths = touched(tmp_path, "a.png")
    touched(tmp_path, ".hidden.png", "._a.png", ".cache/b.png")
    assert find_media([tmp_path]) == paths


def test_what_is_named_twice_comes_once(tmp_path: Path):
    first, second = touched(tmp_path, "a.png", "b.png")
    assert find_media([second, tmp_path]) == [second, first]


def test_a_missing_path_is_named(tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"^file or folder .*gone does not exist; check the path$"):
        find_media([tmp_path / "gone"])


def test_a_folder_without_media_says_what_was_looked_for(tmp_path: Path):
    touched(tmp_path, "readme.txt", ".hidden.png")
    with pytest.raises(MediaError, match=r"has no pictures and no videos; looked, .*\.jpg .*\.png .*\.mp4 ") as caught:
        find_media([tmp_path])
    assert caught.value.reason == "empty folder"
