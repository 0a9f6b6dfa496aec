import io
import os
from pathlib import Path

import pytest
from PIL import Image

from realface.core.errors import MediaError, MissingInputError, UnreadableFolderError
from realface.media.discovery import FoundMedia, describe_skipped, find_media, search_media


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


def test_a_folder_without_media_says_what_it_contains(tmp_path: Path):
    touched(tmp_path, "readme.txt", "b.TXT", "Makefile", ".hidden.png")
    text = r"and its subfolders contain no images and no videos; found only 2 \.txt, 1 no suffix; give a folder that"
    with pytest.raises(MediaError, match=text) as caught:
        find_media([tmp_path])
    assert caught.value.reason == "empty folder"


def test_an_empty_folder_is_an_error(tmp_path: Path):
    with pytest.raises(MediaError, match=r"contain no images and no videos; give a folder that contains some$"):
        find_media([tmp_path])


def test_what_is_skipped_in_folders_is_counted_by_kind(tmp_path: Path):
    (picture,) = touched(tmp_path, "a.png")
    touched(tmp_path, "a.txt", "deep/b.TXT", "deep/notes.md", "Makefile", ".hidden", ".git/config")
    found = search_media([tmp_path])
    assert found.files == (picture,)
    assert found.skipped == {".txt": 2, ".md": 1, "no suffix": 1}
    assert describe_skipped(found.skipped) == "2 .txt, 1 .md, 1 no suffix"


def test_a_file_that_is_named_itself_is_never_skipped(tmp_path: Path):
    (text,) = touched(tmp_path, "a.txt")
    assert search_media([text]) == FoundMedia((text,), {})


def transport_stream() -> bytes:
    return b"".join(b"\x47" + bytes([number] * 187) for number in range(1, 9))


def png() -> bytes:
    stored = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stored, "PNG")
    return stored.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "is_found"),
    [
        ("clip.ts", transport_stream(), True),
        ("source.ts", b"export const x: number = 1;\n", False),
        ("source.mts", b"export const x: number = 1;\n", False),
        ("camera.mts", transport_stream(), True),
        ("damaged.ts", bytes(range(9)) * 99, True),  # no text, so it is tried and reported
        ("clip", transport_stream(), True),
        ("photo", png(), True),
        ("photo.bak", png(), True),
        ("table.json", b'{"a": 1}', False),
        ("sound.mp3", b"ID3\x04\x00" + bytes(500), False),
        ("sound.m4a", b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00", False),
        ("raw.dng", b"II*\x00" + bytes(100), False),
        ("photo.HEIC", b"", True),  # damaged, so it is tried and reported
        ("empty", b"", False),
    ],
)
def test_the_content_decides_where_the_suffix_does_not(tmp_path: Path, name: str, content: bytes, is_found: bool):
    touched(tmp_path, "a.png")
    (tmp_path / name).write_bytes(content)
    found = search_media([tmp_path])
    assert (tmp_path / name in found.files) == is_found
    assert sum(found.skipped.values()) == (not is_found)


def test_files_that_cannot_be_looked_into_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path) -> bytes:
        raise PermissionError

    touched(tmp_path, "a.png", "secret")
    (tmp_path / "broken link").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("realface.media.discovery.read_head", refuse)
    assert search_media([tmp_path]).skipped == {"no suffix": 3}


def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path):
    (there,) = touched(tmp_path, "elsewhere/a.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(there.parent)
    (there.parent / "back").symlink_to(tmp_path / "data")
    assert find_media([tmp_path / "data"]) == [tmp_path / "data" / "link" / "a.png"]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)  # root may read everything
    with pytest.raises(UnreadableFolderError, match=r"cannot read the folder .* \(Permission denied\)"):
        find_media([tmp_path])
