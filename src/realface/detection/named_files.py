"""Find the images and videos in the user's paths, and choose the paths of their drawings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from realface.core.errors import MediaError, MissingInputError, UnreadableFolderError
from realface.detection.verdict import Failure, failure_of
from realface.media.discovery import by_count, describe_skipped, search_media


@dataclass(frozen=True)
class NamedFiles:
    """Files found for the names given by a user.

    Attributes:
        found: images and videos, each once.
        failures: names without a usable file, with the reason.
        skipped: number of files in folders that are neither images nor videos, by kind; see `FoundMedia`.
    """

    found: list[Path]
    failures: list[Failure]
    skipped: dict[str, int]


def find_files(named: Sequence[Path]) -> NamedFiles:
    """Find the images and videos in the named files and folders."""
    found: dict[Path, None] = {}  # a set that keeps its order
    failures: list[Failure] = []
    skipped: Counter[str] = Counter()
    for path in dict.fromkeys(named):
        try:
            media = search_media([path])
        except (MediaError, MissingInputError) as error:
            failures.append(failure_of(path, error))
        except UnreadableFolderError as error:
            failures.append(failure_of(path, MediaError(error.text, reason="unreadable folder", hint=error.hint)))
        else:
            found.update(dict.fromkeys(media.files))
            skipped.update(media.skipped)
    return NamedFiles(list(found), failures, by_count(skipped))


def skipped_line(skipped: Mapping[str, int]) -> str:
    """Return the line that reports skipped files, such as "skipped 4 files that are neither images nor videos: ..."."""
    total = sum(skipped.values())
    files = (
        "1 file that is neither an image nor a video"
        if total == 1
        else f"{total:,} files that are neither images nor videos"
    )
    return f"skipped {files}: {describe_skipped(skipped)}"


def drawing_path(folder: Path, source: Path) -> Path:
    """Return the path of a file's drawing: its name with `.jpg` appended, and a number if that name exists."""
    name = source.name.encode(errors="ignore")[:200].decode(errors="ignore")
    path = folder / f"{name}.jpg"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.jpg"
    return path
