from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path

import pytest

from realface.core import provenance
from realface.core.provenance import checkout_commit, collect_provenance, package_versions


def checkout_with_one_commit(folder: Path) -> str:
    """A git checkout that looks as if the package ran from `folder`/src/realface/core."""
    git = ["git", "-C", str(folder), "-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "file.txt").write_text("1")
    subprocess.run([*git, "add", "file.txt"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "First"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def package_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "src" / "realface" / "core" / "provenance.py"))
    return tmp_path


def test_provenance_is_json_that_says_when_where_and_with_what() -> None:
    record = json.loads(json.dumps(collect_provenance(seed=7)))
    assert record["seed"] == 7
    assert datetime.fromisoformat(record["created"]).tzinfo is not None
    assert record["python"] == platform.python_version()
    assert record["packages"]["torch"] == metadata.version("torch")
    assert {"host", "system", "processor", "cores"} <= record["machine"].keys()


def test_the_command_is_given_without_the_folder_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/realface", "train", "small.yaml"])
    assert collect_provenance()["command"] == ["realface", "train", "small.yaml"]


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package-anywhere"))
    assert package_versions() == {"numpy": metadata.version("numpy")}


def test_outside_a_checkout_there_is_no_commit(package_in: Path) -> None:
    assert checkout_commit() is None


def test_a_clean_checkout_gives_its_commit(package_in: Path) -> None:
    commit = checkout_with_one_commit(package_in)
    assert checkout_commit() == commit


def test_a_changed_checkout_is_called_dirty(package_in: Path) -> None:
    commit = checkout_with_one_commit(package_in)
    (package_in / "file.txt").write_text("2")
    assert checkout_commit() == f"{commit}-dirty"


def test_a_checkout_without_a_commit_gives_none(package_in: Path) -> None:
    subprocess.run(["git", "init", "-q", str(package_in)], check=True)
    assert checkout_commit() is None


def test_without_git_there_is_no_commit(package_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout_with_one_commit(package_in)
    monkeypatch.setenv("PATH", "")
    assert checkout_commit() is None
