from pathlib import Path

import pytest

from realface.core.errors import UnreadableFolderError
from realface.media.walking import walk


def visited(folder: Path) -> list[str]:
    return [place.relative_to(folder).as_posix() for place, _, _ in walk(folder)]


def test_links_to_folders_are_followed(tmp_path: Path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere" / "b").mkdir(parents=True)
    (tmp_path / "data" / "one").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "two").symlink_to(tmp_path / "elsewhere")
    assert visited(tmp_path / "data") == [".", "a", "one", "one/b", "two", "two/b"]


def test_a_link_that_leads_back_up_ends_the_walk_there(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to("self")
    assert visited(tmp_path) == [".", "a", "a/b"]


def test_names_are_sorted_and_subfolders_can_be_skipped(tmp_path: Path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "2.txt").touch()
    (tmp_path / "1.txt").touch()
    walked = walk(tmp_path)
    place, folders, others = next(walked)
    assert (place, folders, others) == (tmp_path, [".hidden", "a", "b"], ["1.txt", "2.txt"])
    folders.remove(".hidden")
    assert [place.name for place, _, _ in walked] == ["a", "b"]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(UnreadableFolderError, match=r"cannot read the folder .* \(Permission denied\)"):
        list(walk(tmp_path))
