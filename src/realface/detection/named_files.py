"""What a user names: the pictures and videos meant by it, and the names of what is drawn of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from realface.core.errors import MediaError, MissingInputError
from realface.detection.verdict import Failure, failure_of
from realface.media.discovery import find_media


def find_files(named: Sequence[Path]) -> tuple[list[Path], list[Failure]]:
    """The pictures and videos that files and folders stand for, each once, and those that stand for none."""
    found: list[Path] = []
    failures: list[Failure] = []
    for path in named:
        try:
            found += find_media([path])
        except (MediaError, MissingInputError) as error:
            failures.append(failure_of(path, error))
    return list(dict.fromkeys(found)), failures


def drawing_path(folder: Path, source: Path) -> Path:
    """Where to write what is drawn of a file: its name with `.jpg` behind it, numbered where that is taken."""
    name = source.name.encode(errors="ignore")[:200].decode(errors="ignore")
    path = folder / f"{name}.jpg"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.jpg"
    return path
