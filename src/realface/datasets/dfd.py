"""DeepFakeDetection (DFD), which has no official split: all of it is test.

    actors/{raw,c0,c23,c40}/videos/01__kitchen_pan.mp4                           363 reals
    DeepFakeDetection/{raw,c0,c23,c40}/videos/01_02__kitchen_pan__ABCDEFGH.mp4   3,068 fakes
    DeepFakeDetection/masks/videos/01_02__kitchen_pan__ABCDEFGH.mp4

Either so, or in `original_sequences/` and `manipulated_sequences/`, where the script of FaceForensics++ puts them.
A real is named `<actor>__<scene>`, a fake `<target>_<source>__<scene>__<id>`: the target in that scene with the face of
the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from realface.core.labels import Label
from realface.datasets.listing import missing_originals, require_distinct
from realface.datasets.reader import Inventory, SourceVideo
from realface.datasets.sequences import DFD_METHOD, DFD_REALS, VideoFolder, folders_of_group, video_folders

DFD_DATASET = "deepfakedetection"
NUM_VIDEOS = {Label.REAL: 363, Label.FAKE: 3068}


class DfdReader:
    """Read DFD only; in one tree with FaceForensics++, the reader `faceforensics` reads both."""

    name = "dfd"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: folders of videos of DFD, and of DFD alone. Reals or fakes alone are enough."""
        if not any(True for _ in _folders(root)):
            return [f"{DFD_REALS}/<raw, c23 or c40>/videos", f"{DFD_METHOD}/<raw, c23 or c40>/videos"]
        if not all(folder.is_dfd for folder in video_folders(root)):
            return ["a separate folder (use --dataset faceforensics to read it together with FaceForensics++)"]
        return []

    def scan(self, root: Path) -> Inventory:
        """Find every video.

        Raises:
            DatasetError: both `raw` and `c0` in one place, or two files of one video.
        """
        folders = list(_folders(root))
        items: list[SourceVideo] = []
        counts: Counter[str] = Counter()
        missing = [f"no {label.word} videos" for label in Label if not any(folder.label == label for folder in folders)]
        for folder in folders:
            found = [dfd_item(folder, path) for path in folder.videos()]
            items += found
            counts[f"{folder.label.word} videos, {folder.group} {folder.level}"] += len(found)
            missing += missing_of_dfd(folder, found, root) + folder.missing_masks(found, root)
        require_distinct(items, root)
        missing += missing_originals(items)
        if strange := sum(not item.identities for item in items):
            counts["videos whose name does not say who is in them"] = strange
        masks = frozenset(folder.masks.parent for folder in folders if folder.label == Label.FAKE)
        return Inventory(root, self.name, items, dict(counts), missing, companions=masks)


def dfd_item(folder: VideoFolder, path: Path) -> SourceVideo:
    """A video of a folder of DFD, wherever that lies."""
    identities, original = _names_in(path.stem, folder.label)
    return SourceVideo(
        source=path,
        label=folder.label,
        dataset=DFD_DATASET,
        video=path.stem,
        split="test",
        method=DFD_METHOD if folder.label == Label.FAKE else None,
        compression=folder.level,
        identities=identities,
        original=original,
        mask=folder.mask_of(path),
    )


def missing_of_dfd(folder: VideoFolder, found: list[SourceVideo], root: Path) -> list[str]:
    """One line if videos of the release are not in a folder of DFD."""
    expected = NUM_VIDEOS[folder.label]
    if len(found) >= expected:
        return []
    where = folder.path.relative_to(root).as_posix()
    return [f"{where}: {expected - len(found):,} of the release's {expected:,} videos"]


def _folders(root: Path) -> Iterator[VideoFolder]:
    """DFD's folders, at the top and in the tree of FaceForensics++."""
    for group, label in ((DFD_REALS, Label.REAL), (DFD_METHOD, Label.FAKE)):
        yield from folders_of_group(root / group, label)
    yield from (folder for folder in video_folders(root) if folder.is_dfd)


def _names_in(stem: str, label: Label) -> tuple[tuple[str, ...], str | None]:
    """The identities, the target first, and a fake's original; nothing where the name has another form."""
    who, *rest = stem.split("__")
    identities = tuple(who.split("_"))
    if not all((*identities, *rest)) or len(identities) != 1 + label or len(rest) != 1 + label:
        return (), None
    return identities, f"{identities[0]}__{rest[0]}" if label == Label.FAKE else None
