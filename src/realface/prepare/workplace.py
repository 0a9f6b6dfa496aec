"""Where crops go: folders named after their videos, which appear whole."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from realface.core.crop_spec import CropSpec
from realface.data.layouts.layout import SourceItem

CROPS, MASKS = "crops", "masks"


@dataclass(frozen=True)
class Workplace:
    """What is the same for all items.

    Attributes:
        source_root: folder to which recorded source paths are relative.
        out: the output folder; crops go to `crops/` below it, masks under the same names to `masks/`.
        scratch: a folder on the same disk, for what is not whole yet; it need not exist.
        spec: how to crop.
        finder_file: the ONNX file of the spec's finder, where it needs one.
        are_crops: whether the items are face crops already.
        threads: for decoding a video; 0: as many as there are cores.
    """

    source_root: Path
    out: Path
    scratch: Path
    spec: CropSpec
    finder_file: Path | None = None
    are_crops: bool = False
    threads: int = 0

    def relative(self, source: Path) -> str:
        """`source` relative to the source folder with forward slashes; the whole path when it lies elsewhere."""
        root = self.source_root
        return (source.relative_to(root) if source.is_relative_to(root) else source).as_posix()

    @contextmanager
    def new_folders(self, folder: PurePosixPath) -> Iterator[dict[str, Path]]:
        """Give two empty folders; at the end those that hold something become `crops/folder` and `masks/folder`.

        Older ones of that name, from a run that was killed or from before a second try, are replaced. Until then all
        stands in `scratch`, so that what a killed process leaves lies in one place.
        """
        temporary = self.scratch / uuid.uuid4().hex
        folders = {kind: temporary / kind for kind in (CROPS, MASKS)}
        for path in folders.values():
            path.mkdir(parents=True)
        try:
            yield folders
            for kind, path in folders.items():
                target = self.out / kind / folder
                if target.exists():
                    target.rename(temporary / f"old {kind}")
                if any(path.iterdir()):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def crop_folder(item: SourceItem) -> PurePosixPath:
    """Where an item's crops go below `crops/`: unique by the video's identity, not by its bare name alone."""
    kind = item.method or ("fake" if item.label else "real")
    parts = [item.dataset, item.split, kind, item.compression]
    # pictures and videos may share a name up to the suffix, and up to the suffix's case
    name = f"{item.video}{item.source.suffix}"
    return PurePosixPath(
        *(safe_name(part) for part in parts if part), *(safe_name(part) for part in PurePosixPath(name).parts)
    )


def safe_name(part: str) -> str:
    """A name for a folder: kept as it is, letters of any alphabet too, unless it is too long for a file system."""
    part = part.replace("/", "_").replace("\\", "_").replace("\0", "_")
    if part in (".", ".."):
        part = "_"
    if len(part.encode()) <= 120:
        return part
    return f"{part[:30]}-{hashlib.sha256(part.encode()).hexdigest()[:16]}"
