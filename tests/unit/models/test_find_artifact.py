from pathlib import Path

import pytest

from realface.core.errors import MissingInputError
from realface.models.artifact import find_artifact


def test_an_artifact_is_found_by_its_own_folder_and_by_its_run(tmp_path: Path) -> None:
    artifact = tmp_path / "run" / "artifact"
    artifact.mkdir(parents=True)
    (artifact / "model.json").write_text("{}")
    assert find_artifact(artifact) == artifact
    assert find_artifact(tmp_path / "run") == artifact


def test_a_folder_without_an_artifact_is_given_back_for_the_reader_to_complain_of(tmp_path: Path) -> None:
    assert find_artifact(tmp_path) == tmp_path


def test_an_artifact_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"artifact .*nowhere does not exist"):
        find_artifact(tmp_path / "nowhere")
