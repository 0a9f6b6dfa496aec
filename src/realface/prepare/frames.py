"""Detect the faces in the frames of one file, or use the boxes of its original."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realface.core.crop_spec import CropSpec
from realface.faces.cropper import crop_face
from realface.faces.detectors.face_detector import Face, FaceDetector
from realface.faces.tracks import link_faces
from realface.media.frames import Frame, HdrTransfer, MediaReader, Spans, VideoInfo, spread_indices
from realface.media.opening import open_media
from realface.prepare.record import FacesByFrame, Original, PrepareJob, TrackedFace

FRAMES_AT_ONCE = 8  # searched together; bounds the memory for every length of video
SAME_RATE = 0.005  # allowed relative difference between frame rates of a scene: files round 29.97 in several ways
FROM_ORIGINAL, OWN = "original", "own: "
OTHER_SIZE = "other size"


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The faces of one frame, without its image.

    Attributes:
        index: number of the frame in the video.
        time_s: seconds from the start; None for an image.
        size: (height, width) in pixels.
        faces: faces that are large enough, each with its person.
        crops: crop of each face.
    """

    index: int
    time_s: float | None
    size: tuple[int, int]
    faces: list[TrackedFace]
    crops: list[NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class FileFaces:
    """The faces found in one file.

    Attributes:
        frames: frames in the order of time.
        boxes: value of `ItemRecord.boxes`.
        num_too_small: number of faces below the smallest size, which were skipped.
        num_damaged: chosen frames that could not be decoded.
        hdr: transfer function of an HDR video, whose frames were converted to SDR; None for SDR.
    """

    frames: list[FrameFaces]
    boxes: str = ""
    num_too_small: int = 0
    num_damaged: int = 0
    hdr: HdrTransfer | None = None

    @property
    def faces(self) -> FacesByFrame:
        """All faces, by the frame's number."""
        return {frame.index: frame.faces for frame in self.frames}

    @property
    def sizes(self) -> dict[int, tuple[int, int]]:
        """(height, width) of each frame in pixels, by its number."""
        return {frame.index: frame.size for frame in self.frames}


def detect_faces(
    job: PrepareJob, media: MediaReader, spec: CropSpec, face_detector: FaceDetector, *, threads: int
) -> FileFaces:
    """Detect and crop every face in the frames that are used.

    A fake is cropped with the boxes of its original if both have the same size and frame rate, so that frames with the
    same number show the same scene. Both crops of the pair then show the same region and the manipulated
    person.

    Args:
        job: the file and its known properties.
        media: the open file.
        spec: crop settings.
        face_detector: face detector of the spec.
        threads: number of threads that decode the original, if it must be read; 0 uses all cores.

    Raises:
        MissingInputError: the file, or the original, does not exist.
        MediaError: the file or the original cannot be read.
    """
    if job.original is None:
        return _detect_in(job, media, spec, face_detector, boxes=job.why_none and OWN + job.why_none)
    why = _unlike(media.info(), job.original.info, job.item.spans)
    found = None if why else _crop_as_original(job, media, job.original, spec, face_detector, threads=threads)
    return found or _detect_in(job, media, spec, face_detector, boxes=OWN + (why or OTHER_SIZE))


def _detect_in(
    job: PrepareJob, media: MediaReader, spec: CropSpec, face_detector: FaceDetector, *, boxes: str = ""
) -> FileFaces:
    frames_read: list[tuple[int, float | None, tuple[int, int]]] = []
    faces: list[list[Face]] = []
    crops: list[list[NDArray[np.uint8]]] = []
    num_too_small = 0
    hdr: HdrTransfer | None = None
    for frame, found in _found(media.frames(spec.frames, spans=job.item.spans), face_detector):
        here = [face for face in found if _is_large_enough(face, spec)]
        num_too_small += len(found) - len(here)
        frames_read.append((frame.index, _time_of(media, frame), frame.size))
        faces.append(here)
        crops.append([crop_face(frame.image, face, spec) for face in here])
        hdr = hdr or frame.hdr
    tracked = _tracked(faces, [size for _, _, size in frames_read])
    frames = [
        FrameFaces(index, time_s, size, here, cut)
        for (index, time_s, size), here, cut in zip(frames_read, tracked, crops, strict=True)
    ]
    return FileFaces(frames, boxes, num_too_small, num_damaged=media.num_damaged, hdr=hdr)


def _crop_as_original(
    job: PrepareJob,
    media: MediaReader,
    original: Original,
    spec: CropSpec,
    face_detector: FaceDetector,
    *,
    threads: int,
) -> FileFaces | None:
    """Return the fake's faces at the boxes of its original; None if the size of either changes in these frames."""
    size = (original.info.height, original.info.width)
    wanted = media.spread(spec.frames, spans=job.item.spans, num_frames=original.info.num_frames)
    faces = original.faces
    if not set(wanted) <= set(faces):  # of another length, so other frames of the original were used
        searched = _faces_at(original.source, wanted, spec, face_detector, size=size, threads=threads)
        if searched is None:
            return None
        faces = searched
    frames = []
    hdr: HdrTransfer | None = None
    for frame in media.frames_at(wanted):
        if frame.size != size:
            return None
        here = list(faces.get(frame.index, ()))
        crops = [crop_face(frame.image, one.face, spec) for one in here]
        frames.append(FrameFaces(frame.index, _time_of(media, frame), frame.size, here, crops))
        hdr = hdr or frame.hdr
    return FileFaces(frames, FROM_ORIGINAL, num_damaged=media.num_damaged, hdr=hdr)


def _faces_at(
    path: Path, indices: list[int], spec: CropSpec, face_detector: FaceDetector, *, size: tuple[int, int], threads: int
) -> FacesByFrame | None:
    """Return the faces of these frames; None if one has another (height, width) than `size`."""
    numbers, faces, sizes = [], [], []
    for frame, found in _found(open_media(path, threads=threads).frames_at(indices), face_detector):
        if frame.size != size:
            return None
        numbers.append(frame.index)
        faces.append([face for face in found if _is_large_enough(face, spec)])
        sizes.append(frame.size)
    return dict(zip(numbers, _tracked(faces, sizes), strict=True))


def _tracked(frames: list[list[Face]], sizes: list[tuple[int, int]]) -> list[list[TrackedFace]]:
    """Return each face with the number of its track, frame by frame."""
    return [
        [TrackedFace(face, track) for face, track in zip(faces, tracks, strict=True)]
        for faces, tracks in zip(frames, link_faces(frames, sizes), strict=True)
    ]


def _found(frames: Iterable[Frame], face_detector: FaceDetector) -> Iterator[tuple[Frame, list[Face]]]:
    for batch in _batches(frames):
        yield from zip(batch, face_detector.detect([frame.image for frame in batch]), strict=True)


def _batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    rest = iter(frames)
    while batch := list(islice(rest, FRAMES_AT_ONCE)):
        yield batch


def _unlike(info: VideoInfo, other: VideoInfo, spans: Spans) -> str:
    """Return the reason why two files do not show the same scene frame by frame; empty if they may."""
    if (info.width, info.height) != (other.width, other.height):
        return OTHER_SIZE
    if abs(info.fps - other.fps) > SAME_RATE * other.fps:
        return "other frame rate"
    if not spread_indices(min(info.num_frames, other.num_frames), 1, spans=spans):
        return "other length"  # the used part of the fake starts after the end of the original
    return ""


def _is_large_enough(face: Face, spec: CropSpec) -> bool:
    return max(face.box.width, face.box.height) >= spec.min_face


def _time_of(media: MediaReader, frame: Frame) -> float | None:
    return None if media.kind == "image" else frame.time_s
