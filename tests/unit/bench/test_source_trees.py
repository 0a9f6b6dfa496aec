import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realface.bench import source_trees as module
from realface.bench.source_trees import CHECKOUT, SourceTree, source_trees
from realface.core.errors import BenchmarkError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def write_package(checkout: Path, version: str) -> None:
    """Write a package whose version is all that it has."""
    package = checkout / "src" / "realface"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(f"version = {version!r}\n")
    (package / "__main__.py").write_text("from realface import version\nprint(version)\n")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose commit `empty` has no package, `old` has version 1 and `HEAD` version 2."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
    git(folder, "tag", "empty")
    for version in ("1", "2"):
        write_package(folder, version)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", version)
        git(folder, "tag", f"v{version}")
    return folder


def worktrees(checkout: Path) -> list[str]:
    """What git knows besides the checkout itself, in either of the two places where it could remain."""
    listed = git(checkout, "worktree", "list", "--porcelain").split("\n\n")[1:]
    records = checkout / ".git" / "worktrees"
    return [*listed, *(path.name for path in records.iterdir())] if records.exists() else listed


def version_of(tree: SourceTree) -> str:
    command = [sys.executable, "-m", "realface"]
    return subprocess.run(
        command, env=tree.environment(), cwd=tree.sources, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_both_trees_run_their_own_sources(checkout: Path) -> None:
    with source_trees("v1", checkout=checkout) as (this, other):
        assert (version_of(this), version_of(other)) == ("2", "1")
        assert (this.label, other.label) == ("this tree", "v1")
        assert this.commit == git(checkout, "rev-parse", "HEAD")
        assert other.commit == git(checkout, "rev-parse", "v1")


def test_the_worktree_is_removed_at_the_end(checkout: Path) -> None:
    with source_trees("v1", checkout=checkout) as (_, other):
        (other.sources / "left.txt").write_text("written by the benchmark")
        assert len(worktrees(checkout)) == 2  # once in git's list, once as its record
    assert worktrees(checkout) == []
    assert not other.sources.exists()
    assert not other.sources.parents[1].exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_the_worktree_is_removed_after_ctrl_c_and_errors(checkout: Path, stop: type[BaseException]) -> None:
    with pytest.raises(stop), source_trees("v1", checkout=checkout) as (_, other):
        raise stop
    assert worktrees(checkout) == []
    assert not other.sources.exists()


def test_the_worktree_is_forgotten_where_git_cannot_remove_it(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = module._run_git

    def without_remove(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(words, 128, "", "") if "remove" in words else run(folder, *words)

    with source_trees("v1", checkout=checkout) as (_, other):
        monkeypatch.setattr(module, "_run_git", without_remove)
    assert worktrees(checkout) == []
    assert not other.sources.exists()


def test_another_worktree_of_the_user_is_kept(checkout: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    git(checkout, "worktree", "add", "--detach", str(mine), "v1")
    shutil.move(mine, tmp_path / "away")  # as on a disk that is not mounted now
    with source_trees("v1", checkout=checkout):
        pass
    assert [path.name for path in (checkout / ".git" / "worktrees").iterdir()] == ["mine"]


def test_uncommitted_changes_are_compared_and_named(checkout: Path) -> None:
    write_package(checkout, "3")
    with source_trees("HEAD", checkout=checkout) as (this, other):
        assert (version_of(this), version_of(other)) == ("3", "2")
        assert this.commit == f"{other.commit}-dirty"


def test_hooks_and_variables_of_git_change_nothing(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = checkout / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))
    with source_trees("v1", checkout=checkout) as (_, other):
        assert version_of(other) == "1"
    monkeypatch.delenv("GIT_DIR")
    assert worktrees(checkout) == []


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError) as raised, source_trees("HEAD", checkout=tmp_path):
        pass
    assert str(raised.value) == (
        f"--against needs a git checkout, and {tmp_path} is not one; "
        "clone the repository, install it with `pip install -e .`, and run the benchmark there"
    )


@pytest.mark.parametrize("revision", ["nonsense", "v1:src", "--all", ""])
def test_an_unknown_revision_is_refused(checkout: Path, revision: str) -> None:
    with pytest.raises(BenchmarkError) as raised, source_trees(revision, checkout=checkout):
        pass
    assert str(raised.value) == (
        f"unknown revision {revision!r}; give a commit, branch or tag that `git log` shows, "
        "or run `git fetch --unshallow` if the clone is shallow"
    )


def test_a_commit_without_the_package_is_refused(checkout: Path) -> None:
    with pytest.raises(BenchmarkError) as raised, source_trees("empty", checkout=checkout):
        pass
    assert str(raised.value) == (
        "revision empty has no src/realface/__main__.py, so `python -m realface` cannot run; give a later commit"
    )
    assert worktrees(checkout) == []


def test_what_git_says_is_passed_on(checkout: Path) -> None:
    (checkout / ".git" / "worktrees").write_text("a file where git needs a folder")
    with pytest.raises(BenchmarkError) as raised, source_trees("v1", checkout=checkout):
        pass
    start, _, rest = str(raised.value).partition(": ")
    assert start == f"git cannot prepare the comparison in {checkout}"
    assert rest.startswith("fatal: ")
    assert rest.endswith("; check the repository")


def test_a_machine_without_git_gets_a_clear_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    with pytest.raises(BenchmarkError) as raised, source_trees("v1", checkout=checkout):
        pass
    assert str(raised.value) == "--against needs git, which is not installed; install git"


def test_own_sources_come_before_those_of_the_users_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = SourceTree("a", "b", tmp_path).environment()
    assert environment["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/mine"
    assert environment["PYTHONDONTWRITEBYTECODE"] == ""  # Python takes an empty value as unset
    assert environment["PYTHONSAFEPATH"] == "1"
    monkeypatch.delenv("PYTHONPATH")
    assert SourceTree("a", "b", tmp_path).environment()["PYTHONPATH"] == str(tmp_path)


def test_the_fingerprint_changes_with_sources_but_not_bytecode(tmp_path: Path) -> None:
    write_package(tmp_path, "1")
    tree = SourceTree("a", "b", tmp_path / "src")
    before = tree.fingerprint()
    (tmp_path / "src" / "realface" / "__pycache__").mkdir()
    (tmp_path / "src" / "realface" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert tree.fingerprint() == before
    write_package(tmp_path, "2")
    changed = tree.fingerprint()
    (tmp_path / "src" / "realface" / "__main__.py").unlink()
    assert len({before, changed, tree.fingerprint()}) == 3


def test_the_default_checkout_contains_this_package() -> None:
    assert (CHECKOUT / "src" / "realface" / "bench" / "source_trees.py").is_file()
