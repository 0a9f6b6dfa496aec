"""From a picture or a video to a verdict."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from realface.core.artifact import DEMONSTRATION, ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import MediaError, MissingInputError
from realface.core.map_kinds import MapKind
from realface.core.shipped import default_artifact
from realface.detection.aggregation import RULE, deciding_track, reason_without_score, score_tracks
from realface.detection.face_source import FaceSource, chosen_face_detector, chosen_spec
from realface.detection.job import Job, ScoreQueue, SeenFrame
from realface.detection.outcome import NOT_EXAMINED, DecisionRule, Reason
from realface.detection.scoring import CropScorer, Precision
from realface.detection.verdict import (
    DEMONSTRATION_NOTE,
    FaceScore,
    Failure,
    FrameScore,
    ScoreName,
    Verdict,
    failure_of,
)
from realface.evaluation.forgery_map import FaceMap
from realface.faces.detectors.face_detector import Face, FaceDetector
from realface.faces.sharpness import sharpness
from realface.faces.tracks import link_faces
from realface.models.artifact import find_artifact, load_network, read_card
from realface.models.catalog import get_method
from realface.models.devices import resolve_device
from realface.models.inference import for_inference


class Detector:
    """Finds, crops and scores the faces of files with one artifact.

    Args:
        network: the artifact's network, in eval mode, on `device`.
        card: what the artifact says of itself.
        face_detector: the one of the artifact's crop spec; None when the files are face crops already.
        device: where the network computes.
        image_size: height and width given to the network, in pixels; the artifact's input size by default.
        batch_size: frames that are searched and faces that are scored together.
        threshold: from which score on a file is called fake, in place of the artifact's threshold and bands.
        num_frames: frames looked at per video, evenly spread; those of the artifact's crop spec by default.
        precision: what the network computes in. `bf16` is faster on processors and GPUs that have it, and moves scores
            by what `realface bench recce` tells of a model; `fp32` gives those of `evaluate`.

    Example:
        >>> detector = Detector.load(device="cpu", crops=True)
        >>> detector.input_size
        160
    """

    def __init__(
        self,
        network: nn.Module,
        card: ArtifactCard,
        *,
        face_detector: FaceDetector | None,
        device: torch.device,
        image_size: int | None = None,
        batch_size: int = 16,
        threshold: float | None = None,
        num_frames: int | None = None,
        precision: Precision = "fp32",
    ) -> None:
        self.card = card
        self.faces = FaceSource(
            card.crop, face_detector=face_detector, num_frames=num_frames or card.crop.frames, batch_size=batch_size
        )
        self.input_size = image_size or card.input_size
        self.rule = DecisionRule.of(
            card,
            threshold=threshold,
            input_size=self.input_size,
            num_frames=self.faces.num_frames,
            finds_faces=face_detector is not None,
        )
        self.precision = precision
        self._scorer = CropScorer(
            network, input_size=self.input_size, batch_size=batch_size, device=device, precision=precision
        )

    @classmethod
    def load(
        cls,
        folder: Path | str | None = None,
        *,
        device: str = "auto",
        crops: bool = False,
        crop: CropSpec | None = None,
        face_detector: FaceDetector | None = None,
        image_size: int | None = None,
        batch_size: int = 16,
        threshold: float | None = None,
        num_frames: int | None = None,
        precision: Precision = "fp32",
    ) -> Detector:
        """Load an artifact.

        Args:
            folder: the artifact, the run folder that contains it, or the name of a shipped detector. Default: the
                shipped `realface.core.shipped.DEFAULT_NAME`.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            crops: the files will be face crops already, so no face is looked for.
            crop: how to cut faces out for an artifact that does not know it, because its weights came from elsewhere.
            face_detector: in place of the artifact's own; it must be the same one in the same version.
            image_size: as in the constructor, like all that follow.
            batch_size: likewise.
            threshold: likewise.
            num_frames: likewise.
            precision: likewise.

        Raises:
            MissingInputError: no such folder, and no such shipped detector.
            ArtifactError: there is no artifact, or it is damaged.
            CropSpecError: the artifact's crops cannot be made here.
            DeviceError: the device is not here.
        """
        torch_device = resolve_device(device)
        artifact = default_artifact() if folder is None else find_artifact(Path(folder))
        card = read_card(artifact)
        card = card.model_copy(update={"crop": chosen_spec(card.crop, crop, artifact=artifact)})
        chosen = (
            None
            if crops
            else chosen_face_detector(card.crop, artifact=artifact, device=torch_device, given=face_detector)
        )
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        network = load_network(artifact, device=str(torch_device))
        return cls(
            for_inference(network, input_size=image_size or card.input_size, dtype=dtype),
            card,
            face_detector=chosen,
            device=torch_device,
            image_size=image_size,
            batch_size=batch_size,
            threshold=threshold,
            num_frames=num_frames,
            precision=precision,
        )

    @property
    def model(self) -> str:
        """Method and weights in a few words, such as `recce 1a2b3c4d5e6f`."""
        return f"{self.card.method} {self.card.weights_sha256[:12]}"

    @property
    def score_name(self) -> ScoreName:
        """Return `anomaly score` if the network was trained on real faces only, else `score`."""
        return "anomaly score" if get_method(self.card.method).real_only is not None else "score"

    def detect(self, path: Path | str) -> Verdict:
        """The verdict on one picture or video.

        Raises:
            MissingInputError: no such file.
            MediaError: it cannot be read.
        """
        job = next(self._finished_jobs([Path(path)]))
        if job.error is not None:
            raise job.error
        return self._verdict(job)

    def detect_many(self, paths: Iterable[Path | str]) -> Iterator[Verdict | Failure]:
        """One answer per file, in order, as soon as it is known; a bad file does not stop the others.

        Faces of several pictures go through the network together, so an answer may wait for the next files.
        """
        for job in self._finished_jobs(Path(path) for path in paths):
            yield self._verdict(job) if job.error is None else failure_of(job.path, job.error)

    def describe(self) -> dict[str, Any]:
        """What the detector is, ready for JSON."""
        calibration = self.card.calibration if self.rule.is_calibrated else None
        validated_on = self.card.validated_on if self.rule.is_calibrated else None
        return {
            "method": self.card.method,
            "weights_sha256": self.card.weights_sha256,
            "purpose": self.card.purpose,
            "score_name": self.score_name,
            "note": DEMONSTRATION_NOTE if self.card.purpose == DEMONSTRATION else None,
            "licence": self.card.licence,
            "input_size": self.input_size,
            "threshold": self.rule.threshold,
            "calibration": calibration.model_dump(mode="json") if calibration else None,
            "validated_on": validated_on.model_dump(mode="json") if validated_on else None,
            "num_frames": self.faces.num_frames,
            "precision": self.precision,
            "crop": None if self.faces.face_detector is None else self.card.crop.model_dump(mode="json"),
            "rule": RULE,
            "scope": {"not_examined": list(NOT_EXAMINED)},
        }

    def maps(
        self, image: NDArray[np.uint8], faces: Sequence[FaceScore], kind: MapKind = MapKind.ERROR_MAP
    ) -> list[FaceMap] | None:
        """The forgery map over each face of a picture.

        Args:
            image: (H, W, 3) RGB.
            faces: as they stand in a verdict.
            kind: which map.

        Returns:
            For each face (h, w) over its crop, in the network's own resolution; None when the method has no such map.
        """
        crops = [self.faces.crop(image, face.face) for face in faces]
        return self._scorer.maps([self._scorer.prepare(crop) for crop in crops], kind)

    def _finished_jobs(self, paths: Iterable[Path]) -> Iterator[Job]:
        queue = ScoreQueue(self._scorer)
        jobs: deque[Job] = deque()
        for path in paths:
            jobs.append(Job(path))
            self._look_through(jobs[-1], queue)
            while jobs and jobs[0].is_done:
                yield jobs.popleft()
        queue.flush()
        yield from jobs

    def _look_through(self, job: Job, queue: ScoreQueue) -> None:
        """Decode, find and crop, one chunk of frames after the other; faces go to the queue."""
        try:
            with job.clock("decode"):
                media = self.faces.open(job.path)
            job.kind = media.kind
            frames = job.clocked("decode", self.faces.frames(media))
            for chunk in self.faces.chunks(frames):
                with job.clock("find"):
                    found = self.faces.detect([frame.image for frame in chunk])
                for frame, faces in zip(chunk, found, strict=True):
                    job.hdr = job.hdr or frame.hdr
                    job.frames.append(SeenFrame(frame.index, frame.time_s, frame.size, faces))
                    for face in faces:
                        with job.clock("crop"):
                            crop = self.faces.crop(frame.image, face)
                            job.sharpness.append(sharpness(crop, margin=self.card.crop.margin))
                            prepared = self._scorer.prepare(crop)
                        queue.add(job, prepared)
            job.num_damaged = media.num_damaged
        except (MediaError, MissingInputError) as error:
            job.error = error
        job.is_read = True

    def _verdict(self, job: Job) -> Verdict:
        frames = self._scored_frames(job)
        tracks = score_tracks(frames, frames_needed=self.rule.frames_needed(job.kind))
        deciding = deciding_track(tracks)
        band = self.rule.band(job.kind)
        reason = None if deciding is not None else reason_without_score(tracks)
        if reason is None and band is None:
            reason = Reason.OUTSIDE_CALIBRATION
        height, width = job.frames[0].size
        return Verdict(
            path=job.path,
            kind=job.kind,
            width=width,
            height=height,
            hdr=job.hdr,
            num_damaged=job.num_damaged,
            score=None if deciding is None else deciding.score,
            band=band,
            is_calibrated=self.rule.is_calibrated,
            reason=reason,
            frames=frames,
            tracks=tracks,
            model=self.model,
            purpose=self.card.purpose,
            seconds=dict(job.seconds),
            score_name=self.score_name,
        )

    def _scored_frames(self, job: Job) -> tuple[FrameScore, ...]:
        numbers = link_faces([frame.faces for frame in job.frames], [frame.size for frame in job.frames])
        measured = iter(zip(job.scores, job.sharpness, strict=True))
        return tuple(
            FrameScore(
                frame.index,
                frame.time_s,
                *frame.size,
                tuple(
                    self._scored_face(face, *next(measured), track)
                    for face, track in zip(frame.faces, tracks, strict=True)
                ),
            )
            for frame, tracks in zip(job.frames, numbers, strict=True)
        )

    def _scored_face(self, face: Face, score: float, detail: float, track: int) -> FaceScore:
        scored = FaceScore.of(face, score, track, is_found=self.faces.face_detector is not None, sharpness=detail)
        return replace(scored, ignored=self.rule.reason_to_ignore(size=scored.size, sharpness=detail))
