"""Walking through folders, links to folders included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from realface.core.errors import UnreadableFolderError


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield a folder and every folder below it, as `os.walk` does, and follow links to folders.

    A link that leads back to one of the folders above it is skipped, so a loop ends. Two links to one folder are
    both followed. Remove names from the second list to skip these subfolders.

    Args:
        folder: top folder.

    Yields:
        The folder, the names of its subfolders, and the names of its other entries; both lists are sorted.

    Raises:
        UnreadableFolderError: a folder cannot be listed.
    """
    yield from _walk(folder, above=())


def _walk(folder: Path, *, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[Path, list[str], list[str]]]:
    folders: list[str] = []
    others: list[str] = []
    try:
        state = folder.stat()
        with os.scandir(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry.path).is_dir())
                (folders if is_folder else others).append(entry.name)
    except OSError as error:
        raise UnreadableFolderError(
            f"cannot read the folder {folder} ({error.strerror or error})",
            hint="change its permissions, or leave it out",
        ) from error
    identity = (state.st_dev, state.st_ino)
    if identity in above:
        return
    folders.sort()
    others.sort()
    yield folder, folders, others
    for name in folders:
        yield from _walk(folder / name, above=(*above, identity))
