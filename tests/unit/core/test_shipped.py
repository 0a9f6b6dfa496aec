from pathlib import Path

import pytest

from realface.core import shipped
from realface.core.errors import ArtifactError, MissingInputError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the package's folder of detectors."""
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path / "shipped")
    return tmp_path / "shipped"


def ship(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "model.json").write_text("{}")
    return folder / name


def test_shipped_detectors_are_listed_with_the_default_first(folder: Path) -> None:
    for name in ("another", "supervised", "real-faces-only"):
        ship(folder, name)
    (folder / "without-a-card").mkdir()
    assert list(shipped.shipped_detectors()) == ["real-faces-only", "another", "supervised"]


def test_a_folder_of_ones_own_can_be_listed(tmp_path: Path) -> None:
    assert shipped.shipped_detectors(tmp_path) == {}
    assert shipped.shipped_detectors(tmp_path / "nowhere") == {}


def test_the_default_is_found(folder: Path) -> None:
    path = ship(folder, "real-faces-only")
    assert shipped.default_artifact() == path


def test_a_build_without_the_default_says_so(folder: Path) -> None:
    ship(folder, "supervised")
    with pytest.raises(ArtifactError, match="this build ships no detector; pass --model ARTIFACT: `realfa"):
        shipped.default_artifact()


def test_a_path_that_exists_wins_over_a_shipped_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ship(folder, "supervised")
    monkeypatch.chdir(tmp_path)
    assert shipped.artifact_folder(Path("supervised")) == path
    (tmp_path / "supervised").mkdir()
    assert shipped.artifact_folder(Path("supervised")) == Path("supervised")


def test_an_unknown_name_is_answered_with_the_shipped_ones(folder: Path) -> None:
    with pytest.raises(
        MissingInputError, match=r"artifact other does not exist; check the path \(this build ships no detector\)"
    ):
        shipped.artifact_folder(Path("other"))
    ship(folder, "supervised")
    ship(folder, "real-faces-only")
    with pytest.raises(
        MissingInputError, match="check the path, or give a shipped detector: real-faces-only, supervised"
    ):
        shipped.artifact_folder(Path("other"))
