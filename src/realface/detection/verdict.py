"""Define the result of a detector for a file: a verdict or a failure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from realface.core.artifact import DEMONSTRATION
from realface.core.boxes import Box
from realface.core.calibration import Band
from realface.core.errors import MediaError, MissingInputError
from realface.detection.outcome import NOT_EXAMINED, Outcome, Reason, decide
from realface.faces.detectors.face_detector import NO_FACE, Face, as_landmarks
from realface.media.frames import HdrTransfer, MediaKind

DEMONSTRATION_NOTE = "demonstration model: says nothing about real videos"

ScoreName = Literal["score", "anomaly score"]

STAGES = ("decode", "find", "crop", "score")


def in_one_line(text: Path | str) -> str:
    """Return the text with line breaks and other control characters escaped, so that it fits in one line."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" or c in "\u2028\u2029" else c for c in str(text))


def damaged_note(*, num_frames: int, num_damaged: int) -> str | None:
    """Return the note on frames that cannot be decoded; None if all can be decoded.

    Args:
        num_frames: number of frames that were decoded.
        num_damaged: number of frames that should have been decoded, too.
    """
    return f"{num_damaged} of {num_frames + num_damaged} frames cannot be decoded" if num_damaged else None


def no_face(path: Path, *, num_frames: int, num_damaged: int) -> MediaError:
    """Return the error for a file in which no face was found; its text also names damaged frames.

    Args:
        path: the file.
        num_frames: number of frames that were decoded.
        num_damaged: number of frames that should have been decoded, too.
    """
    damaged = damaged_note(num_frames=num_frames, num_damaged=num_damaged)
    return MediaError(f"{path}: {NO_FACE}" + (f"; {damaged}" if damaged else ""), reason=NO_FACE)


@dataclass(frozen=True)
class FaceScore:
    """One face in one frame.

    Attributes:
        box: in pixels of the displayed frame; may reach beyond the frame. For a face crop, the whole image.
        score: the detector's score, in [0, 1]; higher for faces that look fake.
        track: number of the person within the file, from 0.
        found: the face detector's confidence, in [0, 1]; None for face crops, in which no faces are detected.
        landmarks: five (x, y), in pixels of the frame, in the order of `Face`; None without landmarks.
        sharpness: sharpness of the face in its crop, by `realface.faces.sharpness`, >= 0.
        ignored: reason why the face does not count for the file's score; None if it counts.
    """

    box: Box
    score: float
    track: int
    found: float | None
    landmarks: tuple[tuple[float, float], ...] | None = None
    sharpness: float = 0.0
    ignored: Reason | None = None

    @property
    def size(self) -> float:
        """Longer side of the box, in pixels of the displayed frame."""
        return max(self.box.width, self.box.height)

    @classmethod
    def of(
        cls,
        face: Face,
        score: float,
        track: int,
        *,
        is_found: bool,
        sharpness: float = 0.0,
        ignored: Reason | None = None,
    ) -> FaceScore:
        """Return a face with its score; `is_found` is false for face crops."""
        points = [(float(x), float(y)) for x, y in face.landmarks] if np.isfinite(face.landmarks).all() else None
        return cls(
            face.box,
            score,
            track,
            found=face.score if is_found else None,
            landmarks=None if points is None else tuple(points),
            sharpness=sharpness,
            ignored=ignored,
        )

    @property
    def face(self) -> Face:
        """The face, in the form of the face detector's output."""
        points = np.full((5, 2), np.nan) if self.landmarks is None else self.landmarks
        return Face(self.box, 1.0 if self.found is None else self.found, as_landmarks(points))

    def to_json(self) -> dict[str, Any]:
        """Return the face in the form of the JSON document."""
        return {
            "box": list(self.box),
            "score": self.score,
            "track": self.track,
            "found": self.found,
            "landmarks": None if self.landmarks is None else [list(point) for point in self.landmarks],
            "size": self.size,
            "sharpness": self.sharpness,
            "ignored": self.ignored,
        }


@dataclass(frozen=True)
class FrameScore:
    """One searched frame; an image has exactly one.

    Attributes:
        index: number of the frame in the video, from 0.
        time_s: seconds from the start.
        height: height of this displayed frame, in pixels; it may differ from frame to frame.
        width: width of this displayed frame, in pixels; it may differ from frame to frame.
        faces: faces by falling confidence of the face detector; empty if no face was found.
    """

    index: int
    time_s: float
    height: int
    width: int
    faces: tuple[FaceScore, ...]

    @property
    def score(self) -> float | None:
        """The highest score of the frame's faces; None without a face."""
        return max((face.score for face in self.faces), default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the frame in the form of the JSON document."""
        return {
            "index": self.index,
            "time_s": self.time_s,
            "width": self.width,
            "height": self.height,
            "score": self.score,
            "faces": [face.to_json() for face in self.faces],
        }


@dataclass(frozen=True)
class TrackScore:
    """One person followed through the frames.

    Attributes:
        track: number of the track.
        num_frames: frames in which the person was found.
        score: mean score of the faces that are not ignored; None if all are ignored.
        counts: whether the track is long enough to count for the file's score.
        ignored: reason why a track that is long enough is ignored; None if it counts or is too short.
    """

    track: int
    num_frames: int
    score: float | None
    counts: bool
    ignored: Reason | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the track in the form of the JSON document."""
        return {
            "track": self.track,
            "num_frames": self.num_frames,
            "score": self.score,
            "counts": self.counts,
            "ignored": self.ignored,
        }


@dataclass(frozen=True)
class Verdict:
    """Verdict of a detector on one image or video.

    Attributes:
        path: the file.
        kind: kind of the file.
        width: width of the displayed image or first frame, in pixels.
        height: height of the displayed image or first frame, in pixels.
        score: score of the file, in [0, 1], by `aggregation.RULE`; None if no face counts.
        score_name: name of the score: `score`, or `anomaly score` of a detector trained only on real faces, whose
            score is not an estimate of how likely the file is to be fake.
        band: the two scores that separate the outcomes; both are the threshold if the detector is not calibrated.
            None if its calibration does not apply.
        is_calibrated: whether the band comes from the detector's calibration.
        reason: reason for a missing verdict; None if the file has a verdict.
        frames: searched frames, in the order of time.
        tracks: people found in the frames; empty if no face was found.
        model: method and weights of the detector, such as `recce 1a2b3c4d5e6f`.
        purpose: purpose of the artifact; verdicts of a demonstration carry a note that they have no meaning.
        seconds: time spent in each of `STAGES`.
        hdr: transfer function of an HDR video, whose frames were converted to SDR; None for SDR.
        num_damaged: frames that should have been searched and could not be decoded.

    Example:
        >>> verdict = Detector.load().detect("photo.jpg")  # doctest: +SKIP
        >>> verdict.outcome, verdict.score  # doctest: +SKIP
    """

    path: Path
    kind: MediaKind
    width: int
    height: int
    score: float | None
    band: Band | None
    frames: tuple[FrameScore, ...]
    tracks: tuple[TrackScore, ...]
    model: str
    purpose: str
    seconds: Mapping[str, float]
    hdr: HdrTransfer | None = None
    num_damaged: int = 0
    is_calibrated: bool = False
    reason: Reason | None = None
    score_name: ScoreName = "score"

    @property
    def outcome(self) -> Outcome:
        """The outcome for the file."""
        if self.reason is not None or self.score is None or self.band is None:
            return Outcome.CANNOT_SAY
        return decide(self.score, self.band)

    @property
    def num_faces(self) -> int:
        """Faces scored, over all frames."""
        return sum(len(frame.faces) for frame in self.frames)

    @property
    def note(self) -> str | None:
        """Return the note to show with this verdict, or None."""
        notes = [DEMONSTRATION_NOTE] if self.purpose == DEMONSTRATION else []
        notes += [f"HDR video ({self.hdr.upper()}) converted to SDR"] if self.hdr else []
        if damaged := damaged_note(num_frames=len(self.frames), num_damaged=self.num_damaged):
            notes.append(damaged)
        return "; ".join(notes) or None

    def line(self) -> str:
        """Return one line with the path, the score and the verdict, as RECCE prints them."""
        score = "none" if self.score is None else f"{self.score:.4f}"
        verdict = self.outcome if self.reason is None else f"{self.outcome} ({self.reason})"
        line = f"path: {in_one_line(self.path)} | {self.score_name}: {score} | verdict: {verdict}"
        return f"{line} | {self.note}" if self.note else line

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as an element of `files` in the JSON document."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "width": self.width,
            "height": self.height,
            "hdr": self.hdr,
            "num_damaged": self.num_damaged,
            "score": self.score,
            "score_name": self.score_name,
            "verdict": self.outcome,
            "reason": self.reason,
            "band": None if self.band is None else self.band.model_dump(mode="json"),
            "is_calibrated": self.is_calibrated,
            "scope": {"not_examined": list(NOT_EXAMINED)},
            "note": self.note,
            "tracks": [track.to_json() for track in self.tracks],
            "frames": [frame.to_json() for frame in self.frames],
            "model": self.model,
            "purpose": self.purpose,
            "seconds": {**self.seconds, "total": sum(self.seconds.values())},
        }


@dataclass(frozen=True)
class Failure:
    """Reason why a file has no verdict.

    Attributes:
        path: the file.
        reason: short fixed phrase such as `empty file`; failures are counted by reason.
        text: expected and found content, and the hint.
    """

    path: Path
    reason: str
    text: str

    def line(self) -> str:
        """Return one line in the form of a verdict's line; the text is included only if it differs from the reason."""
        more = self.text.removeprefix(str(self.path)).lstrip(": ")
        more = in_one_line(more)
        return " | ".join([f"path: {in_one_line(self.path)}", self.reason, *([more] if more != self.reason else [])])

    def to_json(self) -> dict[str, Any]:
        """Return the failure as an element of `files` in the JSON document."""
        return {"path": str(self.path), "error": {"reason": self.reason, "text": self.text}}


def failure_of(path: Path, error: MediaError | MissingInputError) -> Failure:
    """Return an error as the answer to one of many files."""
    reason = error.reason if isinstance(error, MediaError) else "missing"
    return Failure(path, reason, str(error))
