from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from realface.core.errors import MissingInputError, OutputExistsError
from realface.core.files import (
    existing,
    folder_written_atomically,
    new_folder,
    sha256_of,
    write_json,
    write_text,
    written_atomically,
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def break_off(path: Path, failure: type[BaseException]) -> None:
    """Write half of a file, then fail."""
    path.write_text("half of the ne")
    raise failure


def test_a_written_file_appears_whole_in_a_folder_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.csv"
    with written_atomically(path) as temporary:
        temporary.write_text("score\n")
        assert not path.exists()
    assert path.read_text() == "score\n"
    assert names_in(path.parent) == ["scores.csv"]


def test_the_temporary_file_keeps_the_suffix_because_writers_go_by_it(tmp_path: Path) -> None:
    with written_atomically(tmp_path / "clip.mp4") as temporary:
        temporary.touch()
        assert temporary.suffix == ".mp4"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "model.json"
    path.write_text("old")
    with pytest.raises(failure), written_atomically(path) as temporary:
        break_off(temporary, failure)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["model.json"]


def test_a_very_long_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 240}.json"
    write_text(path, "{}")
    assert path.read_text() == "{}"


def test_a_written_folder_appears_whole(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "artifact"
    with folder_written_atomically(folder) as temporary:
        (temporary / "model.json").write_text("{}")
        assert not folder.exists()
    assert names_in(folder) == ["model.json"]
    assert names_in(folder.parent) == ["artifact"]


def test_a_written_folder_replaces_the_older_one_with_all_that_was_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with folder_written_atomically(folder) as temporary:
        (temporary / "new.txt").write_text("new")
    assert names_in(folder) == ["new.txt"]
    assert names_in(tmp_path) == ["artifact"]


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), folder_written_atomically(folder) as temporary:
        break_off(temporary / "new.txt", KeyboardInterrupt)
    assert names_in(folder) == ["old.txt"]
    assert names_in(tmp_path) == ["artifact"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "artifact"
    path.mkdir()
    (path / "old").write_text("old")
    rename = Path.rename

    def broken_off(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken_off)
    with pytest.raises(KeyboardInterrupt), folder_written_atomically(path) as temporary:
        (temporary / "new").write_text("new")
    assert names_in(tmp_path) == ["artifact"]
    assert names_in(path) == ["old"]


def test_json_is_indented_readable_utf_8_that_ends_with_a_line_end(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_json(path, {"name": "Zoë"})
    assert path.read_text(encoding="utf-8") == '{\n  "name": "Zoë"\n}\n'


def test_json_refuses_a_number_that_json_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "metrics.json", {"auc": float("nan")})
    assert names_in(tmp_path) == []


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_existing_gives_the_path_back(tmp_path: Path) -> None:
    assert existing(tmp_path, what="folder") == tmp_path


def test_a_missing_input_is_named_with_what_it_should_have_been(tmp_path: Path) -> None:
    missing = tmp_path / "small.yaml"
    with pytest.raises(MissingInputError) as caught:
        existing(missing, what="recipe")
    assert str(caught.value) == f"recipe {missing} does not exist; check the path"


def test_an_output_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    assert new_folder(tmp_path / "a" / "b").is_dir()


def test_an_empty_output_folder_may_be_there_already(tmp_path: Path) -> None:
    assert new_folder(tmp_path) == tmp_path


def test_an_output_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(1))
    with pytest.raises(OutputExistsError) as caught:
        new_folder(tmp_path)
    assert str(caught.value) == f"{tmp_path} exists and is not empty; give another folder, or remove it first"
    assert names_in(tmp_path) == ["result.json"]


def test_a_file_in_the_place_of_an_output_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("mine")
    with pytest.raises(OutputExistsError) as caught:
        new_folder(path)
    assert str(caught.value) == f"{path} is a file; give a folder to write to"
