"""Files that are either whole or absent, and their hashes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realface.core.errors import MissingInputError, OutputExistsError


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; its file becomes `path` at the end, or is removed on an error.

    The parent folder is created. A reader sees the old file or the new one, never a partial file. The temporary name
    keeps the suffix, because many writers choose their format from the suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:80]}.{uuid.uuid4().hex[:8]}.partial{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except BaseException:  # Ctrl-C must not leave a partial file either
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def folder_written_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` at the end, or is removed on an error.

    An existing folder with that name is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex[:8]}.partial")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            old = temporary.with_name(f"{temporary.name}.old")
            path.rename(old)
            try:
                temporary.rename(path)
            except BaseException:
                old.rename(path)
                raise
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """Write a document as indented UTF-8 JSON, atomically; NaN is an error, because it is not valid JSON."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def existing(path: Path, *, what: str) -> Path:
    """Return `path` if it exists.

    Args:
        path: file or folder.
        what: noun for the path in the error, such as `recipe`.

    Raises:
        MissingInputError: the path does not exist.
    """
    if not path.exists():
        raise MissingInputError(f"{what} {path} does not exist", hint="check the path")
    return path


def new_folder(path: Path, *, allowed: Collection[str] = ()) -> Path:
    """Create an output folder. It must be absent or empty, so that existing files are never mixed or overwritten.

    Args:
        path: the folder.
        allowed: names of files that it may already contain.

    Raises:
        OutputExistsError: the path is a file, or a folder with other files.
    """
    require_free(path, allowed=allowed)
    path.mkdir(parents=True, exist_ok=True)
    return path


def require_free(path: Path, *, allowed: Collection[str] = ()) -> None:
    """Raise an error unless an output folder is absent or empty; do not create it.

    Args:
        path: the folder.
        allowed: names of files that it may already contain.

    Raises:
        OutputExistsError: the path is a file, or a folder with other files.
    """
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"{path} is a file", hint="give a folder to write to")
    if path.is_dir() and any(inner.name not in allowed for inner in path.iterdir()):
        raise OutputExistsError(f"{path} exists and is not empty", hint="give another folder, or remove it first")
