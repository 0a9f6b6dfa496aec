"""Finding pictures and videos in what a user names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from realface.core.errors import MediaError
from realface.core.files import existing
from realface.media.images import IMAGE_SUFFIXES, is_image_name
from realface.media.videos import VIDEO_SUFFIXES, is_video_name


def find_media(paths: Sequence[Path]) -> list[Path]:
    """The files to look at, each once.

    A file that is named outright is kept whatever its suffix, in the place where it was named. A folder gives the
    pictures and videos in it and in its subfolders, by suffix, in natural order (a2 before a10). Hidden files and
    folders are left out; links to folders are not followed.

    Raises:
        MissingInputError: there is nothing of one of the names.
        MediaError: a folder has no picture and no video ("empty folder").
    """
    found: dict[Path, None] = {}  # a set that keeps its order
    for path in paths:
        existing(path, what="file or folder")
        found.update(dict.fromkeys(_media_in(path) if path.is_dir() else [path]))
    return list(found)


def _media_in(folder: Path) -> list[Path]:
    files = []
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    media = [path for path in files if is_image_name(path) or is_video_name(path)]
    if not media:
        raise MediaError(
            f"{folder} has no pictures and no videos; looked, in its subfolders too, for "
            f"{' '.join(sorted(IMAGE_SUFFIXES))} and {' '.join(sorted(VIDEO_SUFFIXES))}",
            reason="empty folder",
        )
    return sorted(media, key=natural_order)


def natural_order(path: Path) -> tuple[list[list[str | int]], str]:
    """Key to sort by: numbers by value and letters without case; the path itself decides between what is then equal."""
    parts = [
        [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", part.casefold())]
        for part in path.parts
    ]
    return parts, str(path)  # text and numbers alternate in each part, so they are never compared with one another
