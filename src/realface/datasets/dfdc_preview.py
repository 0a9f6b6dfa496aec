"""The preview of DFDC, released before the challenge.

    original_videos/**/x.mp4                   real
    method_A/**/x.mp4, method_B/**/x.mp4       fake
    dataset.json                               {"method_A/../x.mp4": {"label": "fake", "set": "train"}}

Where `dataset.json` gives `target_id` and `swapped_id`, these are the identities. Which real a fake was made of is not
told.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.json_labels import LabelledName, read_json_labels
from realface.datasets.listing import require_distinct, videos_below
from realface.datasets.reader import Inventory, SourceVideo

ORIGINALS, METHODS = "original_videos", ("method_A", "method_B")
FOLDERS = {ORIGINALS: Label.REAL} | dict.fromkeys(METHODS, Label.FAKE)
LIST = "dataset.json"
SETS = ("train", "test")


class DfdcPreviewReader:
    """The reader. Videos that the list does not name are kept, with split None, and counted."""

    name = "dfdc_preview"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: a method's folder, or the originals with the list."""
        if any((root / method).is_dir() for method in METHODS):
            return []
        return [] if (root / ORIGINALS).is_dir() and (root / LIST).is_file() else [" or ".join(METHODS)]

    def scan(self, root: Path) -> Inventory:
        """Find every video.

        Raises:
            DatasetError: a list that is none or gives a video another label than its folder, or two files of one video.
        """
        listed = _read_list(root / LIST)
        items: list[SourceVideo] = []
        counts: Counter[str] = Counter()
        missing: list[str] = []
        for folder, label in FOLDERS.items():
            found = [_item(path, root, listed) for path in videos_below(root / folder)]
            items += found
            if found:
                counts[f"{label.word} videos, {folder}"] = len(found)
            else:
                missing.append(f"{folder}: no videos")
        require_distinct(items, root)
        if without_split := sum(item.split is None for item in items):
            counts["videos in no split"] = without_split
        here = {item.source.relative_to(root).as_posix() for item in items}
        if not listed:
            missing.append(f"{LIST}, which says what is test and what train; nothing has a split without it")
        elif absent := [name for name in listed if name not in here]:
            missing.append(f"{LIST}: {len(absent)} of its {len(listed)} videos are not here, such as {absent[0]}")
        return Inventory(root, self.name, items, dict(counts), missing, companions=frozenset([root / LIST]))


def _item(path: Path, root: Path, listed: dict[str, LabelledName]) -> SourceVideo:
    below = path.relative_to(root)
    folder = below.parts[0]
    named = listed.get(below.as_posix())
    return SourceVideo(
        source=path,
        label=FOLDERS[folder],
        dataset=DfdcPreviewReader.name,
        video=below.relative_to(folder).with_suffix("").as_posix(),
        split=None if named is None else named.split("set", SETS, where=f"{root / LIST}: {below.as_posix()}"),
        method=None if folder == ORIGINALS else folder,
        identities=() if named is None else _identities(named),
    )


def _identities(named: LabelledName) -> tuple[str, ...]:
    identities = (named.fields.get(key) for key in ("target_id", "swapped_id"))
    return tuple(dict.fromkeys(str(identity) for identity in identities if identity is not None))


def _read_list(file: Path) -> dict[str, LabelledName]:
    """What the list says of each video; nothing where there is no list."""
    if not file.is_file():
        return {}
    listed = read_json_labels(file)
    for name, named in listed.items():
        folder = name.partition("/")[0]
        if folder not in FOLDERS:
            raise DatasetError(f"{file}: {name} is in none of the folders {', '.join(FOLDERS)}")
        if named.label != FOLDERS[folder]:
            raise DatasetError(f"{file}: {name} is called {named.label.word}, but videos in {folder} are not")
    return listed
