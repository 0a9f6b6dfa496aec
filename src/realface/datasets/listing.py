"""List folders and videos in natural order, and report contradictions and gaps among the videos found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.core.split_names import SPELLINGS, usual_split
from realface.datasets.reader import SourceVideo
from realface.media.discovery import kind_in_folder, natural_order
from realface.media.walking import walk

NOT_FACES = frozenset({"masks", "landmarks"})
"""Folders, in small letters, whose images are not faces; DeepfakeBench puts them beside those of face crops."""


_NO_DATA = frozenset({"lost+found"})  # the file system's own folder, which only root can read


def walk_shown(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk through a folder as `walk` does, without hidden files and folders; nothing if there is no such folder.

    Links to folders are followed. Remove names from the second list to skip these subfolders.

    Raises:
        UnreadableFolderError: a folder cannot be listed.
    """
    if not folder.is_dir():
        return
    for place, folders, names in walk(folder):
        folders[:] = filter(_is_shown, folders)
        yield place, folders, [name for name in names if _is_shown(name)]


def shown_in(folder: Path) -> list[Path]:
    """Return the visible entries of a folder; empty if the folder is missing.

    Raises:
        UnreadableFolderError: the folder cannot be listed.
    """
    return sorted((path for paths in _entries(folder) for path in paths), key=natural_order)


def subfolders(folder: Path) -> list[Path]:
    """Return the visible subfolders of a folder, links included; empty if the folder is missing.

    Raises:
        UnreadableFolderError: the folder cannot be listed.
    """
    return sorted(_entries(folder)[0], key=natural_order)


def videos_in(folder: Path) -> list[Path]:
    """Return the visible videos directly in a folder; empty if the folder is missing.

    Raises:
        UnreadableFolderError: the folder cannot be listed.
    """
    return [path for path in shown_in(folder) if not path.is_dir() and kind_in_folder(path) == "video"]


def videos_below(folder: Path) -> list[Path]:
    """Return the visible videos below a folder in natural order; links to folders are followed.

    Raises:
        UnreadableFolderError: a folder cannot be listed.
    """
    paths = (place / name for place, _, names in walk_shown(folder) for name in names)
    return sorted((path for path in paths if kind_in_folder(path) == "video"), key=natural_order)


def matching_name(name: str, names: Iterable[str]) -> str | None:
    """Return the entry of `names` that equals a folder's name in any case; None if no entry does."""
    return next((entry for entry in names if entry.casefold() == name.casefold()), None)


def split_folders(folder: Path) -> dict[str, list[Path]]:
    """Return the subfolders that are named after a split, by that split: `val`, `Valid` and `dev` are all `val`.

    Raises:
        UnreadableFolderError: the folder cannot be listed.
    """
    found: dict[str, list[Path]] = {}
    for path in subfolders(folder):
        if split := usual_split(path.name):
            found.setdefault(split, []).append(path)
    return found


def split_file(folder: Path, split: str, suffix: str) -> Path | None:
    """Return the file in `folder` that is named after a split, such as `val.json` or `Valid.json`; None without one.

    Args:
        folder: folder to search; may be missing.
        split: train, val or test. Of several spellings of it, the one that stands first in `SPELLINGS` is taken.
        suffix: the file's suffix, such as `.json`.

    Raises:
        UnreadableFolderError: the folder cannot be listed.
    """
    files = {path.name.casefold(): path for path in reversed(shown_in(folder)) if path.is_file()}
    return next((files[name] for spelling in SPELLINGS[split] if (name := spelling + suffix) in files), None)


def names_without_suffix(paths: Iterable[Path]) -> dict[Path, str]:
    """Return a name for each path: the path without its suffix, with slashes.

    Where that would give two paths one name, as for `x.mp4` and `x.png`, these keep their suffix.

    Args:
        paths: relative paths, no two the same.
    """
    names = {path: path.with_suffix("").as_posix() for path in paths}
    while shared := {name for name, times in Counter(names.values()).items() if times > 1}:
        # a name that is kept whole can be another's without suffix: x.mp4 and x.png beside x.mp4.mp4
        names.update({path: path.as_posix() for path, name in names.items() if name in shared})
    return names


def listed_path(text: str) -> str:
    """Convert a path in a list to a path below the dataset's root: slashes, and no leading `./`."""
    return text.strip().replace("\\", "/").removeprefix("./")


def require_distinct(items: Iterable[SourceVideo], root: Path) -> None:
    """Refuse two files with the same dataset, method, compression and video name.

    Raises:
        DatasetError: names the first two.
    """
    first: dict[tuple[str | None, ...], SourceVideo] = {}
    for item in items:
        same = first.setdefault((item.dataset, item.method, item.compression, item.video), item)
        if same is not item:
            one, other = (file.source.relative_to(root).as_posix() for file in (same, item))
            raise DatasetError(f"{root}: {one} and {other} are one video by their name", hint="keep one of them")


def missing_originals(items: Iterable[SourceVideo]) -> list[str]:
    """One line if the original of a fake is not here, in the fake's data set and compression."""
    items = list(items)
    reals = {(item.dataset, item.compression, item.video) for item in items if item.label == Label.REAL}
    fakes = [item for item in items if item.label == Label.FAKE and item.original is not None]
    alone = [fake for fake in fakes if (fake.dataset, fake.compression, fake.original) not in reals]
    if not alone:
        return []
    return [f"the originals of {len(alone)} fakes, such as {alone[0].original} of {alone[0].video}"]


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders in a folder, and its other entries."""
    for place, folders, names in walk_shown(folder):
        return [place / name for name in folders], [place / name for name in names]
    return [], []


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name not in _NO_DATA
