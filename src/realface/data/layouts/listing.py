"""Folders and videos in natural order, and what contradicts or lacks among the videos that a layout found."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from realface.core.errors import LayoutError
from realface.core.labels import Label
from realface.data.layouts.layout import SourceItem
from realface.media.discovery import natural_order
from realface.media.videos import is_video_name

NOT_FACES = frozenset({"masks", "landmarks"})
"""Folders, in small letters, whose pictures are not faces; DeepfakeBench puts them beside those of face crops."""


def shown_in(folder: Path) -> list[Path]:
    """What is in a folder itself but hidden; nothing where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _is_shown(path.name)), key=natural_order)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder but hidden ones; none where there is no such folder."""
    return [path for path in shown_in(folder) if path.is_dir()]


def videos_in(folder: Path) -> list[Path]:
    """The videos in a folder itself but hidden ones; none where there is no such folder."""
    return [path for path in shown_in(folder) if is_video_name(path)]


def videos_below(folder: Path) -> list[Path]:
    """The videos in a folder and its subfolders but hidden ones; links to folders are not followed."""
    videos = []
    for place, folders, names in os.walk(folder):
        folders[:] = filter(_is_shown, folders)
        videos += [path for name in names if _is_shown(name) and is_video_name(path := Path(place, name))]
    return sorted(videos, key=natural_order)


def listed_path(text: str) -> str:
    """A path of a list as it is on disk below the data set's root: slashes, and no `./` in front."""
    return text.strip().replace("\\", "/").removeprefix("./")


def require_distinct(items: Iterable[SourceItem], root: Path) -> None:
    """Refuse two files that are one video by data set, method, compression and name.

    Raises:
        LayoutError: names the first two.
    """
    first: dict[tuple[str | None, ...], SourceItem] = {}
    for item in items:
        same = first.setdefault((item.dataset, item.method, item.compression, item.video), item)
        if same is not item:
            one, other = (file.source.relative_to(root).as_posix() for file in (same, item))
            raise LayoutError(f"{root}: {one} and {other} are one video by their name; keep one of them")


def missing_originals(items: Iterable[SourceItem]) -> list[str]:
    """One line if the real counterpart of a fake is not here, in the fake's data set and compression."""
    items = list(items)
    reals = {(item.dataset, item.compression, item.video) for item in items if item.label == Label.REAL}
    fakes = [item for item in items if item.label == Label.FAKE and item.original is not None]
    alone = [fake for fake in fakes if (fake.dataset, fake.compression, fake.original) not in reals]
    if not alone:
        return []
    return [f"the real counterparts of {len(alone)} fakes, such as {alone[0].original} of {alone[0].video}"]


def _is_shown(name: str) -> bool:
    return not name.startswith(".")
