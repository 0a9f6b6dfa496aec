"""Detect fakes: compute the verdict on an image or a video."""

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
    """Detects, crops and scores the faces of files with one artifact.

    Args:
        network: the artifact's network, in eval mode, on `device`.
        card: card of the artifact.
        face_detector: face detector of the artifact's crop spec; None if the files are face crops.
        device: device of the network.
        image_size: height and width of the network's input, in pixels. Default: the artifact's input size.
        batch_size: number of frames that are searched together, and of faces that are scored together.
        threshold: smallest score of a file that is called fake; replaces the artifact's threshold and bands.
        num_frames: frames searched per video, evenly spaced. Default: the number in the artifact's crop spec.
        precision: number format of the network's computations. `bf16` is faster on processors and GPUs that support it
            and changes scores by the amount that `realface bench recce` reports; `fp32` gives the scores of `evaluate`.

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
            crops: whether the files are face crops, in which no faces are detected.
            crop: crop settings for an artifact without its own, because its weights came from elsewhere.
            face_detector: replaces the artifact's own; must be the same face detector in the same version.
            image_size: height and width of the network's input, in pixels. Default: the artifact's input size.
            batch_size: number of frames that are searched together, and of faces that are scored together.
            threshold: smallest score of a file that is called fake; replaces the artifact's threshold and bands.
            num_frames: frames searched per video, evenly spaced. Default: the number in the artifact's crop spec.
            precision: number format of the network's computations, see `Detector`.

        Raises:
            MissingInputError: no such folder, and no such shipped detector.
            ArtifactError: the artifact is missing or damaged.
            CropSpecError: the artifact's crops cannot be made here.
            DeviceError: the device does not exist.
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
        """Return the verdict on one image or video.

        Raises:
            MissingInputError: no such file.
            MediaError: the file cannot be read.
        """
        job = next(self._finished_jobs([Path(path)]))
        if job.error is not None:
            raise job.error
        return self._verdict(job)

    def detect_many(self, paths: Iterable[Path | str]) -> Iterator[Verdict | Failure]:
        """Yield one result per file, in order and as early as possible; files that cannot be read do not stop the run.

        Faces of several images go through the network together, so a result may wait for the next files.
        """
        for job in self._finished_jobs(Path(path) for path in paths):
            yield self._verdict(job) if job.error is None else failure_of(job.path, job.error)

    def describe(self) -> dict[str, Any]:
        """Return the description of the detector, ready for JSON."""
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
        """Return the forgery map over each face of an image.

        Args:
            image: (H, W, 3) RGB.
            faces: faces of the image, from a verdict.
            kind: kind of map.

        Returns:
            (h, w) for each face, over its crop, in the network's own resolution; None if the method has no such map.
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
        """Decode frames, detect faces and crop them, chunk by chunk; the crops are added to the queue."""
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
