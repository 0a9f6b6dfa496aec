from pathlib import Path

import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.listing import (
    listed_path,
    missing_originals,
    require_distinct,
    shown_in,
    subfolders,
    videos_below,
    videos_in,
)
from realface.datasets.reader import SourceVideo


def tree(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


def test_videos_come_in_natural_order_without_hidden_and_other_files(tmp_path):
    tree(tmp_path, "b10.mp4", "b2.MP4", "a.txt", ".c.mp4", "deep/a.avi", ".hidden/d.mp4")
    assert names(videos_in(tmp_path), tmp_path) == ["b2.MP4", "b10.mp4"]
    assert names(videos_below(tmp_path), tmp_path) == ["b2.MP4", "b10.mp4", "deep/a.avi"]


def test_what_is_shown_is_files_and_folders_in_one_order(tmp_path):
    tree(tmp_path, "part_10/x", "part_9.txt", ".git/x", ".hidden")
    assert names(shown_in(tmp_path), tmp_path) == ["part_9.txt", "part_10"]


def test_folders_come_in_natural_order_without_hidden_ones(tmp_path):
    tree(tmp_path, "part_10/x", "part_9/x", ".git/x", "file")
    assert names(subfolders(tmp_path), tmp_path) == ["part_9", "part_10"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    gone = tmp_path / "gone"
    assert (shown_in(gone), subfolders(gone), videos_in(gone), videos_below(gone)) == ([], [], [], [])


@pytest.mark.parametrize("text", ["a/b.mp4", "a\\b.mp4", "./a/b.mp4", ".\\a\\b.mp4\r\n"])
def test_paths_of_lists_get_slashes(text):
    assert listed_path(text) == "a/b.mp4"


def item(path, method=None):
    return SourceVideo(path, Label.FAKE, "set", video=path.stem, method=method)


def test_two_files_that_are_one_video_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"a/x\.mp4 and b/x\.mp4 are one video by their name; keep one of them"):
        require_distinct([item(tmp_path / "a/x.mp4"), item(tmp_path / "b/x.mp4")], tmp_path)


def test_one_name_in_several_methods_is_allowed(tmp_path):
    require_distinct([item(tmp_path / "a/x.mp4", "A"), item(tmp_path / "b/x.mp4", "B")], tmp_path)


def test_fakes_whose_original_is_not_here_are_named():
    real = SourceVideo(Path("a.mp4"), Label.REAL, "set", video="a", compression="c23")
    fakes = [
        SourceVideo(Path("f.mp4"), Label.FAKE, "set", video=f"{original}_x", compression=level, original=original)
        for original, level in (("a", "c23"), ("a", "c40"), ("b", "c23"), (None, "c23"))
    ]
    assert missing_originals([real, *fakes]) == ["the originals of 2 fakes, such as a of a_x"]
    assert missing_originals([real, fakes[0], fakes[3]]) == []
