"""Cut the faces of one source file: the work of a single worker."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from realface.core.errors import CropSpecError, MediaError
from realface.core.files import sha256_of
from realface.datasets.reader import SourceVideo
from realface.faces.detectors.face_detector import NO_FACE, FaceDetector
from realface.media.frames import MediaReader, VideoInfo
from realface.media.images import encoded_image
from realface.media.opening import open_media
from realface.prepare.choice import Cuts, chosen_tracks
from realface.prepare.frames import FileFaces, FrameFaces, detect_faces
from realface.prepare.masks import cut_masks
from realface.prepare.output_folder import CROPS, MASKS, OutputFolder, crop_folder
from realface.prepare.record import (
    FRAME,
    MASK,
    FacesByFrame,
    ItemRecord,
    PrepareJob,
    SkippedFile,
    TrackedFace,
    faces_to_numbers,
)

TOO_SMALL = "face too small"
NOT_ALIGNED = "cannot be aligned"
NOT_FORGED = "face outside the mask"
DAMAGED = "damaged"


def prepare_item(job: PrepareJob, output: OutputFolder, face_detector: FaceDetector) -> ItemRecord:
    """Cut the chosen faces out of one source file and write the crops of the faces and of the mask.

    Args:
        job: the file and its known properties.
        output: output folder and shared settings.
        face_detector: face detector of the spec.

    Returns:
        The record; a file that cannot be used is a record with `skipped`, not an exception.
    """
    item, source = job.item, output.relative(job.item.source)
    try:
        media = open_media(item.source, threads=output.threads)
        found = detect_faces(job, media, output.spec, face_detector, threads=output.threads)
        info = media.info() if job.is_original else None
        sha256 = sha256_of(item.source)
    except (MediaError, OSError) as error:
        return ItemRecord(source, skipped=[SkippedFile.of_file(item.source, error)])
    except CropSpecError as error:  # five-point alignment without five points
        return ItemRecord(source, skipped=[SkippedFile(NOT_ALIGNED, f"{item.source}: {error}")])
    cuts, skipped_masks = _cut_masks(item, media, found, output)
    tracks = chosen_tracks(found.faces, output.spec.face, cuts)
    skipped = [*_skipped(item, found, tracks), *skipped_masks]
    if not tracks:
        return ItemRecord(source, skipped=skipped)
    return ItemRecord(
        source,
        sha256,
        rows=_write_rows(item, source, found, tracks, cuts, output),
        skipped=skipped,
        boxes=found.boxes,
        num_unmarked=_num_unmarked(found, tracks, cuts),
        info=info,
        faces={} if info is None else faces_to_numbers(_faces_of_first_size(found, info)),
        hdr=found.hdr,
    )


def _faces_of_first_size(found: FileFaces, info: VideoInfo) -> FacesByFrame:
    """Return the faces of frames that have the size of the first frame, from which a fake may take its boxes."""
    return {frame.index: frame.faces for frame in found.frames if frame.size == (info.height, info.width)}


def item_row(item: SourceVideo) -> dict[str, Any]:
    """Return the columns of a manifest that come from the dataset's reader."""
    return {
        "label": int(item.label),
        "dataset": item.dataset,
        "split": item.split,
        "method": item.method,
        "compression": item.compression,
        "video": item.video,
        "identities": list(item.identities),
        "original": item.original,
    }


def _cut_masks(
    item: SourceVideo, media: MediaReader, found: FileFaces, output: OutputFolder
) -> tuple[Cuts | None, list[SkippedFile]]:
    """Return the mask's crops, or None and the reason if the mask cannot be used."""
    if item.mask is None or not any(found.faces.values()):
        return None, []
    try:
        return cut_masks(item.mask, media, found.faces, output.spec, sizes=found.sizes, threads=output.threads), []
    except (MediaError, OSError) as error:
        return None, [SkippedFile.of_file(item.mask, error, kind=MASK)]


def _skipped(item: SourceVideo, found: FileFaces, tracks: Sequence[int]) -> list[SkippedFile]:
    """Return the skipped parts of a readable file: the whole file, or single frames and faces."""
    path, num_frames = item.source, len(found.frames)
    frames = f"{num_frames} frame{'s' * (num_frames > 1)}"
    damaged = f"{found.num_damaged} of {num_frames + found.num_damaged} frames cannot be decoded"
    if not tracks:
        if found.num_damaged:
            frames = f"{frames} ({damaged})"
        if any(found.faces.values()):
            return [SkippedFile(NOT_FORGED, f"{path}: the mask marks none of the faces found in {frames}")]
        if found.num_too_small:
            return [
                SkippedFile(TOO_SMALL, f"{path}: {found.num_too_small} faces in {frames}, all below the smallest size")
            ]
        return [SkippedFile(NO_FACE, f"{path}: {NO_FACE} in {frames}")]
    skipped = []
    if found.num_damaged:
        skipped.append(SkippedFile(FRAME + DAMAGED, f"{path}: {damaged}", found.num_damaged))
    if without := sum(not any(one.track in tracks for one in here) for here in found.faces.values()):
        skipped.append(
            SkippedFile(FRAME + NO_FACE, f"{path}: the face was not found in {without} of {frames}", without)
        )
    if found.num_too_small:
        text = f"{path}: {found.num_too_small} faces in {frames} below the smallest size"
        skipped.append(SkippedFile(FRAME + TOO_SMALL, text, found.num_too_small))
    return skipped


def _num_unmarked(found: FileFaces, tracks: Sequence[int], cuts: Cuts | None) -> int:
    """Kept crops whose mask is black."""
    if cuts is None:
        return 0
    return sum(
        one.track in tracks and not cut.crop.any()
        for frame in found.frames
        for one, cut in zip(frame.faces, cuts.get(frame.index, ()), strict=True)
    )


def _write_rows(
    item: SourceVideo, source: str, found: FileFaces, tracks: Sequence[int], cuts: Cuts | None, output: OutputFolder
) -> list[dict[str, Any]]:
    """Write the kept crops and their masks, and return their manifest rows."""
    folder, spec = crop_folder(item), output.spec
    suffix = ".png" if spec.jpeg_quality is None else ".jpg"
    rows = []
    # written plainly: the folder appears whole, and waiting for the disk at every crop takes a good part of the time
    with output.new_folders(folder, *([CROPS] if cuts is None else [CROPS, MASKS])) as new:
        for frame in found.frames:
            for number, one in enumerate(frame.faces):
                if one.track not in tracks:
                    continue
                name = f"{frame.index:06d}-{one.track}" if spec.face == "all" else f"{frame.index:06d}"
                data = encoded_image(frame.crops[number], jpeg_quality=spec.jpeg_quality)
                (new[CROPS] / (name + suffix)).write_bytes(data)
                row = item_row(item) | _face_row(frame, one)
                row |= {"source": source, "sha256": hashlib.sha256(data).hexdigest()}
                row["path"] = PurePosixPath(CROPS, folder, name + suffix).as_posix()
                if cuts is not None:
                    (new[MASKS] / f"{name}.png").write_bytes(encoded_image(cuts[frame.index][number].crop))
                    row["mask"] = PurePosixPath(MASKS, folder, f"{name}.png").as_posix()
                rows.append(row)
    return rows


def _face_row(frame: FrameFaces, one: TrackedFace) -> dict[str, Any]:
    """Return the manifest columns of one detected face."""
    points = one.face.landmarks.reshape(-1)
    return {
        "frame": frame.index,
        "time_s": frame.time_s,
        "track": one.track,
        "box": [float(value) for value in one.face.box],
        "landmarks": None if np.isnan(points).any() else [float(value) for value in points],
    }
