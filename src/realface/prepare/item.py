"""One video or picture into the crops of one face: what every worker does, alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realface.core.crop_spec import CropSpec
from realface.core.errors import MediaError, MissingInputError
from realface.core.files import folder_written_atomically, sha256_of
from realface.data.layouts.layout import SourceItem
from realface.faces.cropper import crop_face
from realface.faces.finder import NO_FACE, Face, FaceFinder
from realface.faces.tracks import link_faces, main_track
from realface.media.images import is_image_name, read_image, write_image
from realface.media.videos import Frame, spread_frames

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
    """

    source: str
    sha256: str
    rows: list[dict[str, Any]]
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, eq=False)
class _FoundFace:
    """A face of a frame with its crop, so that the frame itself need not be kept."""

    face: Face
    crop: NDArray[np.uint8]


def prepare_item(item: SourceItem, *, source_root: Path, out: Path, spec: CropSpec, finder: FaceFinder) -> ItemRecord:
    """Cut one person's face out of one source file and write the crops.

    Args:
        item: the file and what the layout knows of it.
        source_root: folder to which recorded source paths are relative.
        out: the output folder; crops go to `crops/` below it.
        spec: how to crop.
        finder: the one that `spec` names.

    Returns:
        The record; a file that cannot be used is a record with a reason, not an exception.
    """
    source = relative_name(item.source, source_root)
    try:
        frames, found = _find_all(item.source, spec=spec, finder=finder)
    except MediaError as error:
        return ItemRecord(source, "", [], error.reason, str(error))
    except MissingInputError as error:  # a link that leads nowhere, or a file removed since the scan
        return ItemRecord(source, "", [], "missing", str(error))
    except OSError as error:
        text = f"cannot read {item.source}: {error.strerror or error}"
        return ItemRecord(source, "", [], "unreadable", text)
    faces = [[one.face for one in here] for here in found]
    numbers = link_faces(faces)
    chosen = main_track(faces, numbers)
    if chosen is None:
        where = "frames" if len(frames) > 1 else "frame"
        return ItemRecord(source, "", [], NO_FACE, f"{item.source}: {NO_FACE} in {len(frames)} {where}")
    folder = PurePosixPath("crops") / crop_folder(item)
    rows = []
    with folder_written_atomically(out / folder) as temporary:
        for frame, here, tracks in zip(frames, found, numbers, strict=True):
            if chosen not in tracks:
                continue
            one = here[tracks.index(chosen)]
            name = f"{frame.index:06d}.png"
            write_image(temporary / name, one.crop)
            sha256 = sha256_of(temporary / name)
            rows.append(_row(item, source, folder / name, frame, one.face, chosen, sha256))
    return ItemRecord(source, sha256_of(item.source), rows)


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
        "mask": None,
        "sha256": sha256,
    }
