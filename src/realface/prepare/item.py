"""One video or picture into the crops of one face: what every worker does, alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import MediaError, MissingInputError
from realface.core.files import folder_written_atomically, sha256_of
from realface.data.layouts.layout import SourceItem
from realface.faces.cropper import crop_face
from realface.faces.finder import NO_FACE, Face, FaceFinder
from realface.faces.tracks import link_faces, main_track
from realface.media.images import is_image_name, read_image, write_image
from realface.media.videos import Frame, spread_frames
from realface.prepare.masks import cut_masks

FRAMES_AT_ONCE = 8  # go through the face finder together; bounds the memory, whatever the video's length


@dataclass(frozen=True)
class ItemRecord:
    """What became of one source file.

    Attributes:
        source: the file, relative to the source folder.
        sha256: of the source file; empty when it could not be read.
        rows: manifest rows of its crops, paths relative to the output folder.
        reason: why there are none, as a short fixed phrase; empty when there are some.
        text: the whole message of the loss.
        mask_reason: why the rows have no mask although the layout knows one, as a short fixed phrase.
        mask_text: the whole message of that loss.
    """

    source: str
    sha256: str
    rows: list[dict[str, Any]]
    reason: str = ""
    text: str = ""
    mask_reason: str = ""
    mask_text: str = ""


@dataclass(frozen=True, eq=False)
class _FoundFace:
    """A face of a frame with its crop, so that the frame itself need not be kept."""

    face: Face
    crop: NDArray[np.uint8]


def prepare_item(item: SourceItem, *, source_root: Path, out: Path, spec: CropSpec, finder: FaceFinder) -> ItemRecord:
    """Cut one person's face out of one source file and write the crops, and those of its mask.

    Args:
        item: the file and what the layout knows of it.
        source_root: folder to which recorded source paths are relative.
        out: the output folder; crops go to `crops/` below it, masks under the same names to `masks/`.
        spec: how to crop.
        finder: the one that `spec` names.

    Returns:
        The record; a file that cannot be used is a record with a reason, not an exception.
    """
    source = relative_name(item.source, source_root)
    try:
        frames, found = _find_all(item.source, spec=spec, finder=finder)
    except (MediaError, OSError) as error:
        return ItemRecord(source, "", [], *_why_lost(item.source, error))
    faces = [[one.face for one in here] for here in found]
    numbers = link_faces(faces)
    chosen = main_track(faces, numbers)
    if chosen is None:
        where = "frames" if len(frames) > 1 else "frame"
        return ItemRecord(source, "", [], NO_FACE, f"{item.source}: {NO_FACE} in {len(frames)} {where}")
    kept = [
        (frame, here[tracks.index(chosen)])
        for frame, here, tracks in zip(frames, found, numbers, strict=True)
        if chosen in tracks
    ]
    masks, mask_loss = _masks(item, {frame.index: one.face.box for frame, one in kept}, spec)
    crop_paths = _write_pictures(
        out, PurePosixPath("crops") / crop_folder(item), {frame.index: one.crop for frame, one in kept}
    )
    mask_paths = _write_pictures(out, PurePosixPath("masks") / crop_folder(item), masks)
    rows = []
    for frame, one in kept:
        path, mask = crop_paths[frame.index], mask_paths.get(frame.index)
        rows.append(_row(item, source, path, mask, frame, one.face, chosen, sha256_of(out / path)))
    return ItemRecord(source, sha256_of(item.source), rows, mask_reason=mask_loss[0], mask_text=mask_loss[1])


def _masks(
    item: SourceItem, boxes: Mapping[int, Box], spec: CropSpec
) -> tuple[dict[int, NDArray[np.uint8]], tuple[str, str]]:
    """The mask's crops by the frame's number; where it cannot be used none, with reason and text."""
    if item.mask is None:
        return {}, ("", "")
    try:
        return cut_masks(item.mask, item.source, boxes, spec), ("", "")
    except (MediaError, OSError) as error:
        return {}, _why_lost(item.mask, error)


def _write_pictures(
    out: Path, folder: PurePosixPath, pictures: Mapping[int, NDArray[np.uint8]]
) -> dict[int, PurePosixPath]:
    """Write pictures named by their frame's number; the folder appears whole. Paths relative to `out`, by number."""
    if not pictures:
        return {}
    names = {index: f"{index:06d}.png" for index in pictures}
    with folder_written_atomically(out / folder) as temporary:
        for index, picture in pictures.items():
            write_image(temporary / names[index], picture)
    return {index: folder / name for index, name in names.items()}


def _why_lost(path: Path, error: MediaError | OSError) -> tuple[str, str]:
    """Reason and text of a file that cannot be used."""
    if isinstance(error, MediaError):
        return error.reason, str(error)
    if isinstance(error, MissingInputError):  # a link that leads nowhere, or a file removed since the scan
        return "missing", str(error)
    return "unreadable", f"cannot read {path}: {error.strerror or error}"


def relative_name(path: Path, root: Path) -> str:
    """`path` relative to `root` with forward slashes; the whole path when it lies elsewhere."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def crop_folder(item: SourceItem) -> PurePosixPath:
    """Where an item's crops go below `crops/`: unique by the video's identity, not by its bare name alone."""
    kind = item.method or ("fake" if item.label else "real")
    parts = [item.dataset, item.split, kind, item.compression]
    # pictures and videos may share a name up to the suffix, and up to the suffix's case
    name = f"{item.video}{item.source.suffix}"
    return PurePosixPath(*(_safe(part) for part in parts if part), *(_safe(part) for part in PurePosixPath(name).parts))


def _safe(part: str) -> str:
    """A name for a folder: kept as it is, letters of any alphabet too, unless it is too long for a file system."""
    part = part.replace("/", "_").replace("\\", "_").replace("\0", "_")
    if part in (".", ".."):
        part = "_"
    if len(part.encode()) <= 120:
        return part
    return f"{part[:30]}-{hashlib.sha256(part.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class _Moment:
    index: int
    time_s: float | None


def _find_all(path: Path, *, spec: CropSpec, finder: FaceFinder) -> tuple[list[_Moment], list[list[_FoundFace]]]:
    moments: list[_Moment] = []
    found: list[list[_FoundFace]] = []
    for frames in _batches(path, spec.frames):
        for frame, faces in zip(frames, finder.find([frame.image for frame in frames]), strict=True):
            moments.append(_Moment(frame.index, None if is_image_name(path) else frame.time_s))
            found.append([_FoundFace(face, crop_face(frame.image, face.box, spec)) for face in faces])
    return moments, found


def _batches(path: Path, count: int) -> Iterator[list[Frame]]:
    if is_image_name(path):
        yield [Frame(index=0, time_s=0.0, image=read_image(path))]
        return
    batch: list[Frame] = []
    for frame in spread_frames(path, count):
        batch.append(frame)
        if len(batch) == FRAMES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _row(
    item: SourceItem,
    source: str,
    path: PurePosixPath,
    mask: PurePosixPath | None,
    frame: _Moment,
    face: Face,
    track: int,
    sha256: str,
) -> dict[str, Any]:
    return {
        "path": path.as_posix(),
        "label": int(item.label),
        "dataset": item.dataset,
        "split": item.split,
        "method": item.method,
        "compression": item.compression,
        "video": item.video,
        "frame": frame.index,
        "time_s": frame.time_s,
        "track": track,
        "identities": list(item.identities),
        "source": source,
        "original": item.original,
        "box": [float(value) for value in face.box],
        "landmarks": [float(value) for value in face.landmarks.reshape(-1)],
        "mask": None if mask is None else mask.as_posix(),
        "sha256": sha256,
    }
