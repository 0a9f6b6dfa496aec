"""Face crops that a data set comes with, copied as they are."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from realface.core.errors import MediaError
from realface.core.files import sha256_of
from realface.media.images import read_image
from realface.prepare.crop_sequences import CropPicture, read_sequences
from realface.prepare.item import item_row
from realface.prepare.record import FRAME, ItemRecord, Loss, Task
from realface.prepare.workplace import CROPS, Workplace, crop_folder, safe_name


def copy_crops(task: Task, place: Workplace) -> ItemRecord:
    """Copy the face crops of a folder, a tar or a picture, byte for byte; each folder in it is a video of its own.

    Returns:
        The record; pictures that cannot be read are counted losses, and so is a source without any that can.
    """
    item, source = task.item, place.relative(task.item.source)
    rows: list[dict[str, Any]] = []
    losses: list[Loss] = []
    try:
        with place.new_folders(crop_folder(item)) as temporary:
            for sequence in read_sequences(item.source, count=place.spec.frames):
                for picture in sequence.frames:
                    try:
                        row = _copied(picture, temporary[CROPS], sequence.name)
                    except MediaError as error:
                        text = f"{item.source}: {sequence.name}/{picture.name} cannot be read"
                        losses.append(Loss(FRAME + error.reason, text))
                        continue
                    video = f"{item.video}/{sequence.name}" if sequence.name else item.video
                    row["path"] = PurePosixPath(CROPS, crop_folder(item), row["path"]).as_posix()
                    rows.append(item_row(item) | row | {"video": video, "source": source})
            if not rows:
                raise MediaError(f"{item.source} holds no face crop that can be read", reason="no pictures")
        sha256 = sha256_of(item.source) if item.source.is_file() else ""
    except (MediaError, OSError) as error:
        return ItemRecord(source, losses=[Loss.of_file(item.source, error)])
    return ItemRecord(source, sha256, rows, losses)


def _copied(picture: CropPicture, folder: Path, sequence: str) -> dict[str, Any]:
    """Write one picture; what the manifest says of it, with its path below `folder`."""
    given = PurePosixPath(sequence, picture.name)
    below = PurePosixPath(*map(safe_name, given.parent.parts), safe_name(given.stem) + given.suffix)
    path = folder / below
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture.data)
    try:
        read_image(path)
    except MediaError:
        path.unlink()
        raise
    return {"path": below, "frame": picture.frame, "sha256": sha256_of(path)}
