"""Search for images and videos in files and folders named by the user."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from realface.core.errors import MediaError
from realface.core.files import existing
from realface.media.file_types import is_text, kind_of_head, read_head
from realface.media.frames import MediaKind
from realface.media.images import is_image_name
from realface.media.videos import is_video_name
from realface.media.walking import walk

_TEXT_OR_VIDEO = {".ts", ".mts"}  # TypeScript, or MPEG transport streams
# Audio files, and raw camera files, in which Pillow would find a small preview: they begin like videos and images
# and images.
_NOT_SEARCHED = {
    *(
        ".aac",
        ".aif",
        ".aiff",
        ".flac",
        ".m4a",
        ".m4b",
        ".mka",
        ".mp2",
        ".mp3",
        ".oga",
        ".opus",
        ".wav",
        ".weba",
        ".wma",
    ),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"),
}


@dataclass(frozen=True)
class FoundMedia:
    """Result of a search for images and videos.

    Attributes:
        files: images and videos, each once.
        skipped: number of the other files in the folders, by kind: the suffix in lower case, such as ".txt", or "no
            suffix". Hidden files are not counted.
    """

    files: tuple[Path, ...]
    skipped: Mapping[str, int]


def find_media(paths: Sequence[Path]) -> list[Path]:
    """Return the files of `search_media`."""
    return list(search_media(paths).files)


def search_media(paths: Sequence[Path]) -> FoundMedia:
    """Find images and videos, and count the skipped files.

    The results are in the order of `paths`. A file in `paths` is always included, regardless of its type. A folder is
    replaced by the images and videos in it and in its subfolders, in natural order (a2 before a10): files with a suffix
    of images or videos, and other files whose first bytes are of an image or video, such as `clip.ts`. Links to folders
    are followed. Hidden files and folders are ignored.

    Args:
        paths: files and folders.

    Raises:
        MissingInputError: a path does not exist.
        UnreadableFolderError: a folder or a subfolder cannot be listed.
        MediaError: a folder contains no image and no video ("empty folder").
    """
    found: dict[Path, None] = {}  # a set that keeps its order
    skipped: Counter[str] = Counter()
    for path in paths:
        existing(path, what="file or folder")
        if not path.is_dir():
            found[path] = None
            continue
        searched = _search_folder(path)
        found.update(dict.fromkeys(searched.files))
        skipped.update(searched.skipped)
    return FoundMedia(tuple(found), by_count(skipped))


def by_count(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by kind, the largest first; equal counts are sorted by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def describe_skipped(skipped: Mapping[str, int]) -> str:
    """Return numbers and kinds of skipped files in one line, such as "3 .txt, 1 no suffix"."""
    return ", ".join(f"{count:,} {kind}" for kind, count in skipped.items())


def _search_folder(folder: Path) -> FoundMedia:
    files = []
    skipped: Counter[str] = Counter()
    for place, subfolders, names in walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            path = place / name
            if kind_in_folder(path) is not None:
                files.append(path)
            else:
                skipped[path.suffix.lower() or "no suffix"] += 1
    if not files:
        others = f"; found only {describe_skipped(by_count(skipped))}" if skipped else ""
        raise MediaError(
            f"{folder} and its subfolders contain no images and no videos{others}",
            reason="empty folder",
            hint="give a folder that contains some",
        )
    return FoundMedia(tuple(sorted(files, key=natural_order)), by_count(skipped))


def kind_in_folder(path: Path) -> MediaKind | None:
    """Return whether a file in a folder is an image or a video, by its suffix or else by its first bytes.

    A damaged file with a suffix of images or videos is included, so that it is reported as a failure.

    Returns:
        The kind, or None for any other file. `open_media` checks the content of files with a known suffix.
    """
    suffix = path.suffix.lower()
    if suffix in _NOT_SEARCHED:
        return None
    if suffix in _TEXT_OR_VIDEO:
        return None if is_text(_head_of(path)) else "video"
    if is_image_name(path):
        return "image"
    return "video" if is_video_name(path) else kind_of_head(_head_of(path))


def _head_of(path: Path) -> bytes:
    """Return the first bytes of a file; none if it cannot be read or is no regular file."""
    try:
        return read_head(path) if path.is_file() else b""  # reading from a named pipe would wait
    except OSError:
        return b""


def natural_order(path: Path) -> tuple[list[list[str | int]], str]:
    """Return a sort key: numbers by value, letters without case, and the path itself for ties."""
    parts = [
        [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", part.casefold())]
        for part in path.parts
    ]
    return parts, str(path)  # text and numbers alternate in each part, so they are never compared with one another
