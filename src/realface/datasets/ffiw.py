"""FFIW-10K: videos with several faces, of which one is forged in the fakes.

    source/{train,val}/videos/x.mp4         real
    target/{train,val}/videos/x.mp4         FAKE, whatever its name says: source/../x.mp4 with a forged face
    target_mask/{train,val}/videos/x.mp4    where

The folder `videos` may be absent. Who is in a video, and how a fake was made, is not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from realface.core.labels import Label
from realface.datasets.listing import (
    missing_originals,
    require_distinct,
    split_folders,
    subfolders,
    videos_below,
    videos_in,
)
from realface.datasets.reader import Inventory, SourceVideo

SOURCE, TARGET, MASKS = "source", "target", "target_mask"
PARTS = {SOURCE: Label.REAL, TARGET: Label.FAKE}
SPLITS = ("train", "val", "test")
RELEASED = ("train", "val")


class FfiwReader:
    """The reader. Splits have the same file names, so a video is named `target/train/x`."""

    name = "ffiw"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: the fakes, and beside them the reals or the masks."""
        has = {part: bool(split_folders(root / part)) for part in (SOURCE, TARGET, MASKS)}
        lacks = [] if has[TARGET] else [f"{TARGET}/train or {TARGET}/val"]
        return lacks if has[SOURCE] or has[MASKS] else [*lacks, f"{SOURCE}/train or {SOURCE}/val"]

    def scan(self, root: Path) -> Inventory:
        """Find every video.

        Raises:
            DatasetError: two files of one video.
        """
        items: list[SourceVideo] = []
        counts: Counter[str] = Counter()
        missing = []
        masks = split_folders(root / MASKS)
        for part, label in PARTS.items():
            tops = split_folders(root / part)
            for split in SPLITS:
                found = [
                    _item(path, top, part, split, masks.get(split, ()))
                    for top in tops.get(split, ())
                    for path in videos_below(top)
                ]
                items += found
                if found:
                    counts[f"{label.word} videos, {part} {split}"] = len(found)
                elif split in RELEASED:
                    missing.append(f"{part}/{split}: no videos")
                if label == Label.FAKE:
                    missing += _missing_masks(found, split)
            # videos outside the split folders have no split, so they cannot be used
            known = {folder for folders in tops.values() for folder in folders}
            strange = [folder for folder in subfolders(root / part) if folder not in known]
            if outside := [*videos_in(root / part), *(path for folder in strange for path in videos_below(folder))]:
                counts["videos left out: in no split's folder"] += len(outside)
                missing.append(
                    f"{part}: the split of {len(outside)} videos, which are left out; expected in {', '.join(SPLITS)}"
                )
        require_distinct(items, root)
        missing += missing_originals(items)
        return Inventory(root, self.name, items, dict(counts), missing, companions=frozenset([root / MASKS]))


def _item(path: Path, top: Path, part: str, split: str, masks: Sequence[Path]) -> SourceVideo:
    folders = path.parent.relative_to(top).parts
    below = Path(*folders[1:] if folders[:1] == ("videos",) else folders, path.stem)
    is_fake = PARTS[part] == Label.FAKE
    return SourceVideo(
        source=path,
        label=PARTS[part],
        dataset=FfiwReader.name,
        video=f"{part}/{split}/{below.as_posix()}",
        split=split,
        original=f"{SOURCE}/{split}/{below.as_posix()}" if is_fake else None,
        mask=_mask_of(masks, below.with_name(path.name)) if is_fake else None,
    )


def _mask_of(masks: Sequence[Path], name: Path) -> Path | None:
    """The mask's file, with or without a folder `videos` around it, also where only its folder is here."""
    places = [place for folder in masks for place in (folder / "videos", folder) if place.is_dir()]
    files = [place / name for place in places]
    return next((file for file in files if file.exists()), files[0] if files else None)


def _missing_masks(found: list[SourceVideo], split: str) -> list[str]:
    """One line if not every fake that was found has its mask."""
    unmasked = sum(item.mask is None or not item.mask.exists() for item in found)
    return [f"{MASKS}/{split}: the masks of {unmasked} of {len(found)} fakes"] if unmasked else []
