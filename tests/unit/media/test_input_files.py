from pathlib import Path

import pytest

from realface.core.errors import MediaError, MissingInputError
from realface.media.input_files import require_file


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
