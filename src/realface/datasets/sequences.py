"""The folders of videos in the tree that FaceForensics++'s download script makes; DeepFakeDetection comes in it too.

original_sequences/<group>/{raw,c0,c23,c40}/videos/
manipulated_sequences/<group>/{raw,c0,c23,c40}/videos/
manipulated_sequences/<group>/masks/videos/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.listing import subfolders, videos_in
from realface.datasets.reader import SourceVideo

ORIGINALS, MANIPULATED = "original_sequences", "manipulated_sequences"
LEVELS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}
DFD_REALS, DFD_METHOD = "actors", "DeepFakeDetection"


@dataclass(frozen=True)
class VideoFolder:
    """One `videos` folder: `group` is youtube, actors or a method, `level` a compression."""

    path: Path
    label: Label
    group: str
    level: str

    @property
    def is_dfd(self) -> bool:
        """Whether its videos are those of DeepFakeDetection."""
        return self.group == (DFD_REALS if self.label == Label.REAL else DFD_METHOD)

    @property
    def masks(self) -> Path:
        """Where its videos' masks lie, which have no compression level."""
        return self.path.parents[1] / "masks" / "videos"

    def videos(self) -> list[Path]:
        """In natural order."""
        return videos_in(self.path)

    def mask_of(self, video: Path) -> Path | None:
        """Return a fake's mask file, even if it is missing from the mask folder, so that the gap is reported."""
        return self.masks / video.name if self.label == Label.FAKE and self.masks.is_dir() else None

    def missing_masks(self, found: Sequence[SourceVideo], root: Path) -> list[str]:
        """One line if not every fake that was found here has its mask."""
        if self.label == Label.REAL:
            return []
        unmasked = sum(item.mask is None or not item.mask.exists() for item in found)
        masks = self.masks.relative_to(root).as_posix()
        return [f"{masks}: the masks of {unmasked} of {len(found)} {self.level} fakes"] if unmasked else []


def video_folders(root: Path) -> Iterator[VideoFolder]:
    """Every folder of videos in the tree, reals first.

    Raises:
        DatasetError: both `raw` and `c0` in one place.
    """
    for kind, label in ((ORIGINALS, Label.REAL), (MANIPULATED, Label.FAKE)):
        for group in subfolders(root / kind):
            yield from folders_of_group(group, label)


def folders_of_group(group: Path, label: Label) -> Iterator[VideoFolder]:
    """The folders of videos of one group, one for each compression level.

    Raises:
        DatasetError: both `raw` and `c0`.
    """
    present = [name for name in LEVELS if (group / name / "videos").is_dir()]
    if {"raw", "c0"} <= set(present):
        raise DatasetError(f"{group} has both raw and c0, which are the same", hint="keep one of them")
    for name in present:
        yield VideoFolder(group / name / "videos", label, group.name, LEVELS[name])
