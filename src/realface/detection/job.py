"""A file on its way to its verdict, and the queue in which faces of many files wait for the network together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from realface.core.errors import MediaError, MissingInputError
from realface.detection.scoring import CropScorer
from realface.detection.verdict import STAGES
from realface.faces.detectors.face_detector import Face
from realface.media.frames import HdrTransfer, MediaKind

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """A frame after face detection, without its pixels."""

    index: int
    time_s: float
    size: tuple[int, int]  # (height, width) in pixels
    faces: list[Face]


@dataclass(eq=False)
class Job:
    """State of the work on a file.

    Attributes:
        path: the file.
        kind: kind of the file; `image` until the file is open.
        hdr: transfer function, if the file is HDR and was converted to SDR.
        num_damaged: frames that should have been searched and could not be decoded.
        frames: searched frames.
        scores: scores of the faces computed so far, in the order of frames.
        sharpness: sharpness of the faces, in the same order.
        is_read: whether all frames were searched.
        error: reason why the file gets no verdict.
        seconds: time spent in each stage.
    """

    path: Path
    kind: MediaKind = "image"
    hdr: HdrTransfer | None = None
    num_damaged: int = 0
    frames: list[SeenFrame] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    is_read: bool = False
    error: MediaError | MissingInputError | None = None
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @property
    def num_faces(self) -> int:
        """Faces found so far."""
        return sum(len(frame.faces) for frame in self.frames)

    @property
    def is_done(self) -> bool:
        """Return whether the result of the file is complete."""
        return self.error is not None or (self.is_read and len(self.scores) == self.num_faces)

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Count the time spent inside towards a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start

    def clocked(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Yield the same items; the time to get each counts towards a stage."""
        iterator = iter(items)
        while True:
            with self.clock(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item


class ScoreQueue:
    """Faces of any number of files, scored whenever a batch is full, in the order in which they came."""

    def __init__(self, scorer: CropScorer) -> None:
        self._scorer = scorer
        self._waiting: list[tuple[Job, Tensor]] = []

    def add(self, job: Job, face: Tensor) -> None:
        """Append a prepared crop; its score will be appended to the job's scores.

        Args:
            job: job of the crop.
            face: (3, S, S), the network's input.
        """
        self._waiting.append((job, face))
        if len(self._waiting) >= self._scorer.batch_size:
            self.flush()

    def flush(self) -> None:
        """Score what waits. The time is shared out among the files by their number of faces."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        start = time.perf_counter()
        scores = self._scorer.score([face for _, face in waiting])
        seconds_each = (time.perf_counter() - start) / len(waiting)
        for (job, _), score in zip(waiting, scores, strict=True):
            job.scores.append(score)
            job.seconds["score"] += seconds_each
