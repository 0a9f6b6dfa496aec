"""Plain folders: `real/**` and `fake/**` (or `0/` and `1/`), with or without `train/`, `val/`, `test/` above."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from realface.core.errors import MediaError
from realface.core.labels import Label
from realface.data.layouts.layout import Scan, SourceItem
from realface.media.discovery import find_media
from realface.media.images import is_image_name

SPLITS = ("train", "val", "test")
CLASSES = {"real": Label.REAL, "0": Label.REAL, "fake": Label.FAKE, "1": Label.FAKE}
EXPECTED = "a folder real, fake, 0 or 1, at the top or in train, val or test"


class PlainLayout:
    """Pictures and videos sorted into folders by label. One of the two labels is enough.

    A first subfolder of a fake folder is the method: `fake/Deepfakes/x.mp4`. Every file is a video of its own, named by
    its whole path below the root without suffix, because `real/1.mp4`, `fake/1.mp4` and `train/real/1.mp4` have nothing
    to do with one another. Persons are unknown, and files outside the label folders are left out and named.
    """

    name = "plain"

    def recognise(self, root: Path) -> list[str]:
        """What lacks: a label folder."""
        tops = [root, *(folder for folder in _subfolders(root) if folder.name.lower() in SPLITS)]
        has_class = any(folder.name.lower() in CLASSES for top in tops for folder in _subfolders(top))
        return [] if has_class else [EXPECTED]

    def scan(self, root: Path) -> Scan:
        """Find every picture and video."""
        items = []
        counts: Counter[str] = Counter()
        outside: Counter[str] = Counter()
        for path in _media_below(root):
            item = _item(path, root)
            kind = "pictures" if is_image_name(path) else "videos"
            if item is None:
                top = path.relative_to(root).parts[0]
                outside[f"{top}/" if (root / top).is_dir() else "the top folder"] += 1
                counts["left out: in no label folder"] += 1
            else:
                items.append(item)
                counts[f"{item.label.word} {kind}"] += 1
        if others := _count_files(root) - len(items) - outside.total():
            counts["left out: neither picture nor video"] = others
        missing = [
            f"{place}: {count} pictures or videos in no label folder were left out; expected {EXPECTED}"
            for place, count in outside.items()
        ]
        missing += [
            f"no {label.word} pictures or videos" for label in Label if not any(item.label == label for item in items)
        ]
        return Scan(root, self.name, items, dict(counts), missing)


def _item(path: Path, root: Path) -> SourceItem | None:
    below = path.relative_to(root)
    folders = list(below.parts[:-1])
    split = folders.pop(0).lower() if folders and folders[0].lower() in SPLITS else None
    label = CLASSES.get(folders.pop(0).lower()) if folders else None
    if label is None:
        return None
    return SourceItem(
        source=path,
        label=label,
        dataset=root.resolve().name,
        video=below.with_suffix("").as_posix(),
        split=split,
        method=folders[0] if label == Label.FAKE and folders else None,
    )


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _media_below(root: Path) -> list[Path]:
    try:
        return find_media([root])
    except MediaError:  # nothing at all; the scan says what is missing
        return []


def _count_files(root: Path) -> int:
    """All files but hidden ones."""
    count = 0
    for _, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        count += sum(not name.startswith(".") for name in names)
    return count
