import errno
from pathlib import Path

import av
import pytest

from realface.core.errors import MediaError, MissingInputError
from realface.media.input_files import require_file
from realface.media.videos import VideoReader


def test_a_file_with_bytes_is_returned(tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    assert require_file(path, what="picture") == path


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"^picture .*gone\.jpg does not exist; check the path$"):
        require_file(tmp_path / "gone.jpg", what="picture")


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(MediaError, match=r"is not a file; give the path of one video$") as caught:
        require_file(tmp_path, what="video")
    assert caught.value.reason == "not a file"


def test_an_empty_file_is_refused(tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.touch()
    with pytest.raises(MediaError, match=r"a\.jpg is empty \(0 bytes\); copy or download it again$") as caught:
        require_file(path, what="picture")
    assert caught.value.reason == "empty file"


@pytest.mark.parametrize("function", [(av, "open"), (Path, "open")])
def test_too_many_open_files_are_no_damage_of_a_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: tuple[object, str]
):
    def refuse(*args: object, **options: object) -> None:
        raise av.error.OSError(errno.EMFILE, "Too many open files")

    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setattr(*function, refuse)
    text = r"^cannot read .*a\.mp4: too many open files; raise the limit with `ulimit -n 4096`$"
    with pytest.raises(MediaError, match=text) as caught:
        VideoReader.open(tmp_path / "a.mp4")
    assert caught.value.reason == "unreadable"
