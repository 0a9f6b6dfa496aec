"""The source trees that `realface bench --against` compares: this checkout, and another commit in a git worktree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from realface.core.errors import BenchmarkError

CHECKOUT = Path(__file__).parents[3]
"""The folder of the checkout, if the package runs from one."""
_REPOSITORY_VARIABLES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}  # git hooks set them for the hook's repository


@dataclass(frozen=True)
class SourceTree:
    """The package's sources at one commit.

    Attributes:
        label: name in tables: "this tree", or the revision that the user passed.
        commit: full hash of the commit; ends in "-dirty" if tracked files differ from it.
        sources: folder that contains the package `realface`.
    """

    label: str
    commit: str
    sources: Path

    def environment(self) -> dict[str, str]:
        """Return this process's environment, changed to import `realface` from these sources.

        Bytecode is written for both trees, so the sources are not compiled again in each run.
        """
        paths = [str(self.sources), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": ""}
        return {**os.environ, **own}

    def fingerprint(self) -> str:
        """Return a SHA-256 of the package's files, so that a change can be noticed."""
        digest = hashlib.sha256()
        for path in sorted((self.sources / "realface").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(self.sources)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


@contextmanager
def source_trees(revision: str, *, checkout: Path = CHECKOUT) -> Iterator[tuple[SourceTree, SourceTree]]:
    """Provide this checkout and another commit of its repository, in a temporary worktree until the end of the block.

    Args:
        revision: anything that git resolves to a commit: a hash, a branch, a tag, "HEAD~3".
        checkout: folder of the checkout, which may have uncommitted changes.

    Yields:
        This tree, and the tree of the revision.

    Raises:
        BenchmarkError: the package does not run from a git checkout, git is missing or fails, the revision is unknown,
            or it does not contain `src/realface`.
    """
    if not (checkout / ".git").exists():
        raise BenchmarkError(
            f"--against needs a git checkout, and {checkout} is not one",
            hint="clone the repository, install it with `pip install -e .`, and run the benchmark there",
        )
    commit = "" if revision.startswith("-") else _resolve(checkout, f"{revision}^{{commit}}")
    if not commit:
        raise BenchmarkError(
            f"unknown revision {revision!r}",
            hint=(
                "give a commit, branch or tag that `git log` shows, or run `git fetch --unshallow` if the clone is "
                "shallow"
            ),
        )
    if not _resolve(checkout, f"{commit}:src/realface/__main__.py"):
        raise BenchmarkError(
            f"revision {revision} has no src/realface/__main__.py, so `python -m realface` cannot run",
            hint="give a later commit",
        )
    changed = bool(_git(checkout, "status", "--porcelain", "--untracked-files=no"))
    head = _git(checkout, "rev-parse", "HEAD") + "-dirty" * changed
    with _worktree(checkout, commit) as folder:
        yield SourceTree("this tree", head, checkout / "src"), SourceTree(revision, commit, folder / "src")


@contextmanager
def _worktree(checkout: Path, commit: str) -> Iterator[Path]:
    """Provide a folder with the commit checked out, and remove it at the end, also after an error or a signal."""
    with tempfile.TemporaryDirectory(prefix="realface-bench-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary, f"realface-{commit[:12]}")
        try:
            # without hooks: post-checkout is meant for worktrees that a user works in
            _git(checkout, "-c", f"core.hooksPath={os.devnull}", "worktree", "add", "--detach", str(folder), commit)
            yield folder
        finally:
            _remove_worktree(checkout, folder)


def _remove_worktree(checkout: Path, folder: Path) -> None:
    """Remove a worktree and git's record, if they exist.

    A general `git worktree prune` would also drop the user's worktrees on disks that are not mounted.
    """
    pointer = folder / ".git"
    if pointer.is_file():
        record = Path(folder, pointer.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).resolve()
        _run_git(checkout, "worktree", "remove", "--force", "--force", str(folder))
        if record.parent.name == "worktrees":  # still there if git was interrupted, too
            shutil.rmtree(record, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _resolve(checkout: Path, name: str) -> str:
    """Return the hash of an object; empty if the name is unknown."""
    return _run_git(checkout, "rev-parse", "--verify", "--quiet", name).stdout.strip()


def _git(checkout: Path, *arguments: str) -> str:
    """Return what git prints.

    Raises:
        BenchmarkError: git fails; the text is the last line that it printed.
    """
    done = _run_git(checkout, *arguments)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BenchmarkError(
            f"git cannot prepare the comparison in {checkout}: {said[-1]}", hint="check the repository"
        )
    return done.stdout.strip()


def _run_git(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}
    command = ["git", "-C", str(checkout), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except FileNotFoundError as error:
        raise BenchmarkError("--against needs git, which is not installed", hint="install git") from error
