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
    """Give a temporary path beside `path`; what is written there becomes `path` at the end, or vanishes on an error.

    The parent folder is made. A reader sees the old file or the new one, never a part. The temporary name keeps the
    suffix, because many writers choose their format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:80]}.{uuid.uuid4().hex[:8]}.partial{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except BaseException:  # Ctrl-C too must leave nothing half-written
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def folder_written_atomically(path: Path) -> Iterator[Path]:
    """Like `written_atomically` for a folder: it appears under its name only when all is written.

    An older folder of that name is replaced.
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
    """Write a document as indented UTF-8 JSON, atomically; NaN is refused, because JSON has none."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_of(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def existing(path: Path, *, what: str) -> Path:
    """Return `path` if it exists.

    Raises:
        MissingInputError: it does not; `what` names it in the text.
    """
    if not path.exists():
        raise MissingInputError(f"{what} {path} does not exist", hint="check the path")
    return path


def new_folder(path: Path, *, besides: Collection[str] = ()) -> Path:
    """Make an output folder, which must be absent or empty, so that nothing is ever mixed or overwritten.

    Args:
        path: the folder.
        besides: names that may be in it already.

    Raises:
        OutputExistsError: as `require_free`.
    """
    require_free(path, besides=besides)
    path.mkdir(parents=True, exist_ok=True)
    return path


def require_free(path: Path, *, besides: Collection[str] = ()) -> None:
    """Refuse an output folder that is neither absent nor empty; nothing is made.

    Args:
        path: the folder.
        besides: names that may be in it.

    Raises:
        OutputExistsError: there is a file of that name, or a folder with something in it.
    """
    if path.exists() and not path.is_dir():
        raise OutputExistsError(f"{path} is a file", hint="give a folder to write to")
    if path.is_dir() and any(inner.name not in besides for inner in path.iterdir()):
        raise OutputExistsError(f"{path} exists and is not empty", hint="give another folder, or remove it first")
