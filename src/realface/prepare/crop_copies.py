"""Copy the face crops of a dataset unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from realface.core.errors import MediaError
from realface.core.files import sha256_of
from realface.media.images import read_image
from realface.prepare.crop_sequences import CropPicture, CropSequence, read_sequences
from realface.prepare.item import item_row
from realface.prepare.output_folder import CROPS, OutputFolder, crop_folder, safe_name
from realface.prepare.record import FRAME, ItemRecord, PrepareJob, SkippedFile


def copy_crops(job: PrepareJob, output: OutputFolder) -> ItemRecord:
    """Copy the face crops of a folder, a tar or an image, byte for byte; each folder in the source is a separate video.

    Returns:
        The record; unreadable images, and sources without a readable image, are skipped and counted.
    """
    item, source = job.item, output.relative(job.item.source)
    folder = crop_folder(item)
    rows: list[dict[str, Any]] = []
    skipped: list[SkippedFile] = []
    try:
        with _reading(item.source):
            sha256 = sha256_of(item.source) if item.source.is_file() else ""
        with output.new_folders(folder, CROPS) as new:
            for sequence in _sequences(item.source, output.spec.frames):
                for picture in sequence.frames:
                    below = PurePosixPath(*map(safe_name, PurePosixPath(sequence.name).parts), _file_name(picture))
                    try:
                        _copy(picture, new[CROPS] / below)
                    except MediaError as error:
                        text = f"{item.source}: {sequence.name}/{picture.name} cannot be used: {error.reason}"
                        skipped.append(SkippedFile(FRAME + error.reason, text))
                        continue
                    row = item_row(item) | {"source": source, "frame": picture.frame}
                    row["video"] = f"{item.video}/{sequence.name}" if sequence.name else item.video
                    row["path"] = PurePosixPath(CROPS, folder, below).as_posix()
                    row["sha256"] = hashlib.sha256(picture.data).hexdigest()
                    rows.append(row)
            if not rows:
                raise MediaError(f"{item.source} holds no face crop that can be read", reason="no pictures")
    except MediaError as error:
        return ItemRecord(source, skipped=[SkippedFile.of_file(item.source, error)])
    return ItemRecord(source, sha256, rows, skipped)


def _sequences(source: Path, count: int) -> Iterator[CropSequence]:
    with _reading(source):
        yield from read_sequences(source, count=count)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Turn every error in reading a source into a reason to skip the source; errors in writing to the disk are raised.

    Raises:
        MediaError: replaces an OSError.
    """
    try:
        yield
    except OSError as error:
        each = SkippedFile.of_file(source, error)
        raise MediaError(each.text, reason=each.reason) from error


def _file_name(picture: CropPicture) -> str:
    name = PurePosixPath(picture.name)
    return safe_name(name.stem) + name.suffix


def _copy(picture: CropPicture, path: Path) -> None:
    """Write one image file, after checking that it is an image.

    Raises:
        MediaError: the file cannot be read, or its name exists on a file system that ignores the case of letters.
    """
    if path.exists():
        raise MediaError(f"{path} is there already", reason="one name twice")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture.data)
    try:
        read_image(path)
    except MediaError:
        path.unlink()
        raise
