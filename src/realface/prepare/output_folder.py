"""The output folder: one folder of crops per video, which appears only when complete."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from realface.core.crop_spec import CropSpec
from realface.datasets.reader import SourceVideo
from realface.prepare.record import legible

CROPS, MASKS = "crops", "masks"


@dataclass(frozen=True)
class OutputFolder:
    """The output folder of a preparation, with the settings shared by all of its files.

    Attributes:
        source_root: folder to which recorded source paths are relative.
        out: the output folder; crops are written to `crops/` below it, masks under the same names to `masks/`.
        scratch: an existing folder on the same disk, for incomplete files.
        spec: crop settings.
        face_detector_file: the ONNX file of the spec's face detector, if that detector requires a file.
        are_crops: whether the items are face crops.
        threads: number of threads for decoding a video; 0 uses all cores.
    """

    source_root: Path
    out: Path
    scratch: Path
    spec: CropSpec
    face_detector_file: Path | None = None
    are_crops: bool = False
    threads: int = 0

    def relative(self, source: Path) -> str:
        """Return `source` relative to the source folder with forward slashes, or the whole path outside that folder."""
        root = self.source_root
        return (source.relative_to(root) if source.is_relative_to(root) else source).as_posix()

    @contextmanager
    def new_folders(self, folder: PurePosixPath, *kinds: str) -> Iterator[dict[str, Path]]:
        """Yield an empty folder of each kind; at the end it becomes `crops/folder` or `masks/folder`.

        Older folders of that name, from a killed run or from before a retry, are removed. Until the end all files are
        in `scratch`; a worker that outlives its run cannot move files after `scratch` is removed.
        """
        key = uuid.uuid4().hex
        new = {kind: self.scratch / f"{key} {kind}" for kind in kinds}
        try:
            for path in new.values():
                path.mkdir()
            yield new
            self.remove(folder)
            for kind, path in new.items():
                target = self.out / kind / folder
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
        finally:
            for path in new.values():
                shutil.rmtree(path, ignore_errors=True)

    def remove(self, folder: PurePosixPath) -> None:
        """Leave no crops and no masks under that name."""
        for kind in (CROPS, MASKS):
            target = self.out / kind / folder
            if target.exists():
                old = self.scratch / f"{uuid.uuid4().hex} old"
                target.rename(old)
                shutil.rmtree(old)


def crop_folder(item: SourceVideo) -> PurePosixPath:
    """Return an item's folder below `crops/`; it is unique by the video's identity, not only by its bare name."""
    kind = item.method or ("fake" if item.label else "real")
    parts = [item.dataset, item.split, kind, item.compression]
    # images and videos may share a name up to the suffix, and up to the suffix's case; frames share their video's
    name = f"{item.video}{item.source.suffix}" if item.frame is None else f"{item.video}/{item.source.name}"
    return PurePosixPath(*map(safe_name, filter(None, [*parts, *PurePosixPath(name).parts])))


@lru_cache(maxsize=1024)  # most parts are the same in the paths of millions of images
def safe_name(part: str) -> str:
    """Return a folder name: the part unchanged, including letters of any alphabet, or shortened for the file system."""
    part = legible(part).replace("/", "_").replace("\\", "_").replace("\0", "_")
    if part in (".", ".."):
        part = "_"
    if len(part.encode()) <= 120:
        return part
    return f"{part[:30]}-{hashlib.sha256(part.encode()).hexdigest()[:16]}"
