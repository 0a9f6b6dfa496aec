import os
from pathlib import Path

import pytest

from realface.detection.named_files import drawing_path, find_files, skipped_line


def test_what_stands_for_no_file_is_a_failure_and_the_rest_is_found_once(tmp_path: Path) -> None:
    picture = tmp_path / "full" / "a.png"
    picture.parent.mkdir()
    picture.touch()
    (tmp_path / "empty").mkdir()
    named = find_files([tmp_path / "gone.mp4", picture, picture.parent, tmp_path / "empty"])
    assert named.found == [picture]
    assert [(failure.path.name, failure.reason) for failure in named.failures] == [
        ("gone.mp4", "missing"),
        ("empty", "empty folder"),
    ]


def test_what_folders_contain_besides_is_counted_once(tmp_path: Path) -> None:
    for name in ("a.png", "a.txt", "b.txt", "Makefile"):
        (tmp_path / name).touch()
    assert find_files([tmp_path, tmp_path]).skipped == {".txt": 2, "no suffix": 1}


def test_a_folder_that_cannot_be_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    picture = tmp_path / "a.png"
    picture.touch()
    monkeypatch.setattr("os.scandir", refuse)  # root may read everything
    named = find_files([tmp_path, picture])
    assert named.found == [picture]
    (failure,) = named.failures
    assert failure.reason == "unreadable folder"
    assert failure.text.startswith(f"cannot read the folder {tmp_path} (Permission denied)")


def test_skipped_files_are_reported_in_one_line() -> None:
    line = skipped_line({".txt": 1200, "no suffix": 1})
    assert line == "skipped 1,201 files that are neither images nor videos: 1,200 .txt, 1 no suffix"
    assert skipped_line({".md": 1}) == "skipped 1 file that is neither an image nor a video: 1 .md"


def test_files_of_one_name_are_drawn_under_different_names(tmp_path: Path) -> None:
    paths = []
    for folder in ("a", "b", "c"):
        paths.append(drawing_path(tmp_path, Path(folder, "clip.mp4")))
        paths[-1].touch()
    assert [path.name for path in paths] == ["clip.mp4.jpg", "clip.mp4-2.jpg", "clip.mp4-3.jpg"]


def test_a_name_as_long_as_names_may_be_is_shortened(tmp_path: Path) -> None:
    drawing_path(tmp_path, Path("ü" * 120 + ".png")).touch()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_unicode_loses_what_cannot_be_written(tmp_path: Path) -> None:
    assert drawing_path(tmp_path, Path(os.fsdecode(b"caf\xe9.png"))).name == "caf.png.jpg"
