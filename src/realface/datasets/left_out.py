"""Count the files of a dataset's folder that its reader does not use."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from realface.datasets.listing import NOT_FACES, walk_shown
from realface.datasets.reader import Inventory
from realface.media.discovery import kind_in_folder
from realface.media.images import is_image_name

IMAGES, VIDEOS = "images", "videos"
_USUAL_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,7}")


def count_left_out(inventory: Inventory, *, without: Path | None = None) -> dict[str, int]:
    """Count the files below the scanned folder that are neither items nor companions, in one walk.

    Hidden files do not count. In a folder that is an item, images count as used; its folders of masks and landmarks
    count as companions.

    Args:
        inventory: the files that a reader found.
        without: a folder that is not looked into, such as the output folder.

    Returns:
        The numbers by kind: `images`, `videos`, then other files by suffix, such as `other files (.txt)`.

    Raises:
        UnreadableFolderError: a folder cannot be listed.
    """
    used = {str(item.source) for item in inventory.items} | {
        str(item.mask) for item in inventory.items if item.mask is not None
    }
    known = {str(path) for path in inventory.companions}
    skipped = known if without is None else known | {str(without)}
    within: set[str] = set()  # the folders that are items, and those below them
    counts: Counter[str] = Counter()
    for place, folders, names in walk_shown(inventory.root):
        folder = str(place)
        is_within = folder in within or folder in used
        folders[:] = [name for name in folders if f"{folder}{os.sep}{name}" not in skipped]
        if is_within:
            folders[:] = [name for name in folders if name.lower() not in NOT_FACES]
            within.update(f"{folder}{os.sep}{name}" for name in folders)
        for name in names:
            path = f"{folder}{os.sep}{name}"
            if path not in used and path not in known and not (is_within and is_image_name(Path(name))):
                counts[_kind(Path(path))] += 1
    return dict(sorted(counts.items(), key=lambda kind: (kind[0] != IMAGES, kind[0] != VIDEOS, kind[0])))


def _kind(path: Path) -> str:
    kind = kind_in_folder(path)
    if kind is not None:
        return IMAGES if kind == "image" else VIDEOS
    suffix = path.suffix.lower()
    return f"other files ({suffix if _USUAL_SUFFIX.fullmatch(suffix) else 'no usual suffix'})"
