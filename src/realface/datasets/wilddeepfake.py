"""WildDeepfake: face sequences that its authors cut from videos of the internet.

    real train/12.tar.gz                   or real test, fake train, fake test; some copies: real_train
    real_train/12/<sequence>/0003.png      unpacked, with or without folders between

Each folder of images, within a tar too, is one sequence. Nothing is told about who is in them, how a fake was made,
or which real it was made of.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.core.split_names import canonical_split
from realface.datasets.listing import matching_name, shown_in, subfolders
from realface.datasets.reader import Inventory, SourceVideo
from realface.media.discovery import natural_order

PARTS = {
    "real_train": (Label.REAL, "train"),
    "real_val": (Label.REAL, "val"),
    "real_test": (Label.REAL, "test"),
    "fake_train": (Label.FAKE, "train"),
    "fake_val": (Label.FAKE, "val"),
    "fake_test": (Label.FAKE, "test"),
}
HELD_BACK = ("real_val", "fake_val")
"""Parts that the data set does not come with; somebody made them."""
TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar")
NO_VALIDATION = "a validation split, which the data set does not have; hold some of its train back"


class WildDeepfakeReader:
    """The reader. A tar, or a folder where it was unpacked, is one item; where both are here, the tar is taken."""

    name = "wilddeepfake"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: one of the four folders, with a tar or a folder in it."""
        if any(_name_of(path) for folder in _part_folders(root) for path in shown_in(folder)):
            return []
        return ["folder real_train, real_test, fake_train or fake_test (or with a space) with tars or folders in it"]

    def scan(self, root: Path) -> Inventory:
        """Find every tar and unpacked folder.

        Raises:
            DatasetError: an unpacked folder of reals holds a folder of fakes, or the other way round.
        """
        items = []
        counts: Counter[str] = Counter()
        missing: list[str] = []
        companions: set[Path] = set()
        by_part: defaultdict[str, list[Path]] = defaultdict(list)
        for folder in _part_folders(root):
            by_part[_part_of(folder) or ""] += shown_in(folder)
        for part, (label, split) in PARTS.items():
            copies = _copies(by_part[part])
            others = len(by_part[part]) - sum(len(paths) for paths in copies.values())
            # tars come before unpacked folders: only a tar shows whether it is complete
            for name, (path, *_) in copies.items():
                _require_label(path, label)
                items.append(SourceVideo(path, label, self.name, video=f"{part}/{name}", split=split))
                counts[f"{part}, {'unpacked folders' if path.is_dir() else 'tars'}"] += 1
            doubled = {name: paths for name, paths in copies.items() if len(paths) > 1}
            counts["left out: further copies of what is here already"] += sum(len(p) - 1 for p in doubled.values())
            counts["left out: neither tars nor folders"] += others
            missing += _missing(root, part, num_copies=len(copies), doubled=doubled, num_others=others)
            companions.update(path for paths in doubled.values() for path in paths[1:])
        if not any(item.split == "val" for item in items):
            missing.append(NO_VALIDATION)
        return Inventory(
            root,
            self.name,
            items,
            {kind: count for kind, count in counts.items() if count},
            missing,
            are_crops=True,
            companions=frozenset(companions),
        )


def _part_folders(root: Path) -> list[Path]:
    return [folder for folder in subfolders(root) if _part_of(folder)]


def _part_of(folder: Path) -> str | None:
    """Return the key of `PARTS` for a folder, in any case and any spelling of its split; None for another folder."""
    label, _, split = folder.name.lower().replace(" ", "_").partition("_")
    return matching_name(f"{label}_{canonical_split(split)}", PARTS)


def _name_of(path: Path) -> str:
    """A tar's name without suffix, a folder's name; empty for what is neither."""
    if path.is_dir():
        return path.name
    suffix = next((suffix for suffix in TAR_SUFFIXES if path.name.lower().endswith(suffix)), None)
    return path.name[: -len(suffix)] if suffix else ""


def _copies(paths: list[Path]) -> dict[str, list[Path]]:
    """The tars and folders of each name, in natural order. Tars come first: whether one is whole can be seen."""
    copies: defaultdict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if name := _name_of(path):
            copies[name].append(path)
    return {
        name: sorted(copies[name], key=Path.is_dir) for name in sorted(copies, key=lambda n: natural_order(Path(n)))
    }


def _require_label(folder: Path, label: Label) -> None:
    """Some tars hold `12/real/<sequence>`; what they say there must be what the folder above says."""
    other = Label.FAKE if label == Label.REAL else Label.REAL
    for inner in subfolders(folder):
        if inner.name.lower() == other.word:
            raise DatasetError(
                f"{inner} is a folder of {other.word}s among {label.word}s", hint="restore the folders as they came"
            )


def _missing(root: Path, part: str, *, num_copies: int, doubled: dict[str, list[Path]], num_others: int) -> list[str]:
    missing = []
    if not num_copies and part not in HELD_BACK:
        missing.append(f"{part}: no sequences")
    if doubled:
        used, other, *_ = next(iter(doubled.values()))
        missing.append(
            f"{part}: {len(doubled)} are here more than once; {used.relative_to(root).as_posix()} is used and not "
            f"{other.relative_to(root).as_posix()}, and so on"
        )
    if num_others:
        missing.append(f"{part}: {num_others} files that are neither tars nor folders were left out")
    return missing
