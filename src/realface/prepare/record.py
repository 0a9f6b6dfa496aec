"""Define the job of a worker for one source file, and the record of its result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from realface.core.boxes import Box
from realface.core.errors import MediaError, MissingInputError
from realface.datasets.reader import SourceVideo
from realface.faces.detectors.face_detector import Face, as_landmarks
from realface.media.frames import HdrTransfer, VideoInfo

MASK, FRAME = "mask: ", "frame: "
"""Prefixes of reasons that concern a mask or single frames instead of the whole file."""


@dataclass(frozen=True)
class SkippedFile:
    """A skipped file, mask, frame or face, with the reason.

    Attributes:
        reason: short fixed phrase; skipped files are counted by reason. Prefixed with `MASK` or `FRAME` if the file
            itself was used.
        text: the whole message.
        count: number of affected things: 1 file, 1 mask, or a number of frames or faces.
    """

    reason: str
    text: str
    count: int = 1

    @classmethod
    def of_file(cls, path: Path, error: MediaError | OSError, *, kind: str = "") -> SkippedFile:
        """Return the entry for a file that cannot be used; `kind` is `MASK` for a mask."""
        if isinstance(error, MediaError):
            return cls(kind + error.reason, str(error))
        if isinstance(error, MissingInputError):  # a link that leads nowhere, or a file removed since the inventory
            return cls(kind + "missing", f"{kind}{path} is not there" if kind else str(error))
        return cls(kind + "unreadable", f"cannot read {path}: {error.strerror or error}")


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face and the number of the person within the video."""

    face: Face
    track: int


FacesByFrame = Mapping[int, Sequence[TrackedFace]]
"""Faces of each used frame, by frame number; an empty sequence for a frame without faces."""


@dataclass(frozen=True, eq=False)
class Original:
    """The real video or image from which a fake was made, with the faces found in it."""

    source: Path
    info: VideoInfo
    faces: FacesByFrame


@dataclass(frozen=True, eq=False)
class PrepareJob:
    """One item to prepare.

    Attributes:
        index: the item's number in the inventory.
        item: the file.
        original: original whose boxes the fake uses; None if it is unknown or has no face.
        why_none: reason why a fake with an original cannot use its boxes.
        is_original: whether fakes will use this item's boxes, so that its faces must be recorded.
    """

    index: int
    item: SourceVideo
    original: Original | None = None
    why_none: str = ""
    is_original: bool = False


@dataclass(frozen=True)
class ItemRecord:
    """Result of one source file.

    Attributes:
        source: the file, relative to the source folder.
        sha256: hash of the source file; empty for a folder or an unreadable file.
        rows: manifest rows of its crops, paths relative to the output folder.
        skipped: parts that could not be used; for a file without rows, one entry has the reason.
        boxes: origin of the boxes for a file with an original: "original", or "own" and the reason.
        num_unmarked: crops without pixels marked by the mask: the kept person is not the manipulated person.
        info: size, length and frame rate of an original; its `path` is not stored.
        faces: faces of an original, by frame number: box, score, landmarks and track of each face, 16 numbers.
        hdr: transfer function of an HDR video, whose frames were converted to SDR; None for SDR.
    """

    source: str
    sha256: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    boxes: str = ""
    num_unmarked: int = 0
    info: VideoInfo | None = None
    faces: dict[str, list[list[float]]] = field(default_factory=dict)
    hdr: HdrTransfer | None = None

    @property
    def reasons(self) -> set[str]:
        """Reasons of all that was skipped."""
        return {each.reason for each in self.skipped}

    def to_json(self) -> str:
        """Return one line, in UTF-8 for all file names."""
        fields = vars(self)
        if self.info is not None:
            fields = fields | {"info": vars(self.info) | {"path": ""}}
        return legible(json.dumps(fields, default=vars, ensure_ascii=False, separators=(",", ":")))

    @classmethod
    def from_json(cls, line: str) -> ItemRecord:
        """Return the record of one line of `to_json`."""
        record = cls(**json.loads(line))
        skipped = [SkippedFile(**each) for each in record.skipped]  # type: ignore[arg-type]
        info = None if record.info is None else VideoInfo(**record.info | {"path": Path()})  # type: ignore[operator]
        return replace(record, skipped=skipped, info=info)

    def as_original(self, source: Path) -> Original | None:
        """Return the data for the fakes of this file; None if it has no face."""
        if self.info is None or not self.rows:
            return None
        faces = {int(frame): [_tracked(numbers) for numbers in here] for frame, here in self.faces.items()}
        return Original(source, replace(self.info, path=source), faces)


def legible(name: str) -> str:
    """Return a name of bytes that are no UTF-8 as text that can be stored: such a byte becomes %XX."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)


def faces_to_numbers(faces: FacesByFrame) -> dict[str, list[list[float]]]:
    """Return faces in the form of `ItemRecord.faces`."""
    return {str(frame): [_numbers(one) for one in here] for frame, here in faces.items()}


def _numbers(tracked: TrackedFace) -> list[float]:
    face = tracked.face
    return [*map(float, face.box), float(face.score), *map(float, face.landmarks.reshape(-1)), tracked.track]


def _tracked(numbers: Sequence[float]) -> TrackedFace:
    face = Face(Box(*numbers[:4]), score=numbers[4], landmarks=as_landmarks(np.array(numbers[5:15])))
    return TrackedFace(face, int(numbers[15]))
