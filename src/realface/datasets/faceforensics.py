"""FaceForensics++ and DeepFakeDetection as their download script leaves them.

    original_sequences/{youtube,actors}/{raw,c0,c23,c40}/videos/071.mp4
    manipulated_sequences/<method>/{raw,c0,c23,c40}/videos/071_054.mp4
    manipulated_sequences/<method>/masks/videos/071_054.mp4
    {splits/,dataset/splits/,}{train,val,test}.json

A fake is named `<target>_<source>`: the target's video with the source's face. Every folder below
`manipulated_sequences` is a method. DeepFakeDetection (`actors` and the method of that name) is read as `dfd` reads it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.core.text_files import read_text
from realface.datasets.dfd import DFD_DATASET, dfd_item, missing_of_dfd
from realface.datasets.listing import missing_originals, require_distinct, split_file
from realface.datasets.reader import Inventory, SourceVideo
from realface.datasets.sequences import MANIPULATED, ORIGINALS, VideoFolder, video_folders

SPLITS = ("train", "val", "test")
SPLIT_FOLDERS = ("splits", "dataset/splits", ".")


class FaceForensicsReader:
    """The reader. Videos that are in no split file are kept, with split None, and counted."""

    name = "faceforensics"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: folders of videos other than DeepFakeDetection's. Reals or fakes are enough."""
        if any(not folder.is_dfd for folder in video_folders(root)):
            return []
        return [f"{ORIGINALS}/youtube/<raw, c23 or c40>/videos", f"{MANIPULATED}/<method>/<raw, c23 or c40>/videos"]

    def scan(self, root: Path) -> Inventory:
        """Find every video.

        Raises:
            DatasetError: a split file that is none, a video in two splits, two files of one video, or both `raw` and
                `c0` in one place.
        """
        files = _split_files(root)
        splits, missing = _read_splits(files)
        items: list[SourceVideo] = []
        counts: Counter[str] = Counter()
        for folder in video_folders(root):
            found = [_item(folder, path, splits) for path in folder.videos()]
            items += found
            counts[f"{folder.label.word} videos, {folder.group} {folder.level}"] = len(found)
            missing += _missing_of(folder, found, splits, root)
        for label, kind in ((Label.REAL, ORIGINALS), (Label.FAKE, MANIPULATED)):
            if not any(folder.label == label for folder in video_folders(root)):
                missing.append(f"{kind}: no videos")
        require_distinct(items, root)
        missing += missing_originals(item for item in items if item.dataset == DFD_DATASET)
        if without_split := sum(item.split is None for item in items):
            counts["videos in no split"] = without_split
        if strange := sum(not item.identities for item in items):
            counts["videos whose name does not say who is in them"] = strange
        # masks and split files belong to the dataset, so they are not counted as unused files
        masks = {folder.masks.parent for folder in video_folders(root) if folder.label == Label.FAKE}
        lists = {file for file in files.values() if file is not None}
        return Inventory(root, self.name, items, dict(counts), missing, companions=frozenset(masks | lists))


def _item(folder: VideoFolder, path: Path, splits: _Splits) -> SourceVideo:
    if folder.is_dfd:
        return dfd_item(folder, path)
    identities = identities_in(path.stem, folder.label)
    is_fake = folder.label == Label.FAKE
    return SourceVideo(
        source=path,
        label=folder.label,
        dataset="faceforensics",
        video=path.stem,
        split=splits.of_identities.get(identities),
        method=folder.group if is_fake else None,
        compression=folder.level,
        identities=identities,
        original=identities[0] if is_fake and identities else None,
        mask=folder.mask_of(path),
    )


def identities_in(stem: str, label: Label) -> tuple[str, ...]:
    """The identities, the target first; nobody where the name has another form."""
    identities = tuple(stem.split("_"))
    return identities if all(identities) and len(identities) == 1 + label else ()


@dataclass(frozen=True)
class _Splits:
    """What the split files say.

    Attributes:
        of_identities: the split of each real, by (id,), and of each fake, by (target, source).
    """

    of_identities: dict[tuple[str, ...], str]

    def expected(self, label: Label) -> list[str]:
        """Names of the videos that there should be."""
        return ["_".join(identities) for identities in self.of_identities if len(identities) == label + 1]


def _split_files(root: Path) -> dict[str, Path | None]:
    """The file of each split; None where there is none."""
    return {
        split: next((file for folder in SPLIT_FOLDERS if (file := split_file(root / folder, split, ".json"))), None)
        for split in SPLITS
    }


def _read_splits(files: Mapping[str, Path | None]) -> tuple[_Splits, list[str]]:
    of_identities: dict[tuple[str, ...], str] = {}
    missing = []
    for split, file in files.items():
        if file is None:
            missing.append(f"{split}.json, the list of pairs, neither in splits/ nor dataset/splits/ nor at the top")
            continue
        for a, b in _read_pairs(file):
            for identities in ((a,), (b,), (a, b), (b, a)):
                if of_identities.setdefault(identities, split) != split:
                    raise DatasetError(
                        f"{file}: {'_'.join(identities)} is in the {of_identities[identities]} split already",
                        hint="list each pair in one split only",
                    )
    return _Splits(of_identities), missing


def _read_pairs(file: Path) -> list[tuple[str, str]]:
    try:
        pairs: Any = json.loads(read_text(file))
    except ValueError as error:
        raise DatasetError(f"{file}: not JSON ({error})") from error
    fits = isinstance(pairs, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair) for pair in pairs
    )
    if not fits:
        raise DatasetError(f'{file}: expected a list of pairs such as [["071", "054"]]')
    return [(a, b) for a, b in pairs]


def _missing_of(folder: VideoFolder, found: list[SourceVideo], splits: _Splits, root: Path) -> list[str]:
    """Videos that the splits name and masks of fakes that are not here."""
    where = folder.path.relative_to(root).as_posix()
    missing = []
    if folder.is_dfd:
        missing += missing_of_dfd(folder, found, root)
    else:
        here = {item.video for item in found}
        expected = splits.expected(folder.label)
        if absent := [name for name in expected if name not in here]:
            missing.append(
                f"{where}: {len(absent)} of the {len(expected)} videos of the split files, such as {absent[0]}"
            )
    return missing + folder.missing_masks(found, root)
