"""Define the outcomes of a verdict and the rule that turns a score into an outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from realface.core.artifact import ArtifactCard
from realface.core.calibration import Band, ValidatedRange
from realface.media.frames import MediaKind

NOT_EXAMINED = ("wholly generated images", "voices")
"""Limits of every verdict: detectors only search faces for traces of manipulation."""


class Outcome(StrEnum):
    """Outcome of a verdict on a file."""

    FAKE = "fake"
    REAL = "real"
    UNCERTAIN = "uncertain"
    CANNOT_SAY = "cannot_say"


class Reason(StrEnum):
    """Reason for the verdict `cannot_say`, or for ignoring a face."""

    NO_FACE = "no_face"
    FACE_TOO_SMALL = "face_too_small"
    TOO_SOFT = "too_soft"
    TOO_FEW_FRAMES = "too_few_frames"
    OUTSIDE_CALIBRATION = "outside_calibration"


def main_reason(reasons: Iterable[Reason]) -> Reason:
    """Return the most frequent of at least one reason; ties are resolved by the order of definition."""
    named = list(reasons)
    return max(Reason, key=named.count)


@dataclass(frozen=True)
class DecisionRule:
    """Rule that turns the scores of one detector into verdicts.

    Attributes:
        threshold: smallest score that is called fake if `is_calibrated` is false.
        is_calibrated: whether the bands decide.
        image: band of images; None if the calibration has no band for images.
        video: band of videos; None if the calibration has no band for videos.
        validated_on: range of faces and files that get a verdict; None for all faces and files.
        fits: whether the detector is used with the settings of its calibration. Otherwise it gives no verdict.
    """

    threshold: float
    is_calibrated: bool = False
    image: Band | None = None
    video: Band | None = None
    validated_on: ValidatedRange | None = None
    fits: bool = True

    @classmethod
    def of(
        cls, card: ArtifactCard, *, threshold: float | None, input_size: int, num_frames: int, finds_faces: bool
    ) -> DecisionRule:
        """Return the rule of an artifact.

        Args:
            card: card of the artifact.
            threshold: the user's threshold, which replaces the artifact's threshold and bands; None: the artifact's.
            input_size: height and width of the network's input, in pixels.
            num_frames: frames searched per video.
            finds_faces: false for face crops, whose faces have no known size in their source.
        """
        calibration = card.calibration
        if threshold is not None or calibration is None:
            return cls(card.threshold if threshold is None else threshold)
        fits = finds_faces and (input_size, num_frames) == (calibration.input_size, calibration.num_frames)
        return cls(
            card.threshold,
            is_calibrated=True,
            image=calibration.image,
            video=calibration.video,
            validated_on=card.validated_on if fits else None,
            fits=fits,
        )

    def band(self, kind: MediaKind) -> Band | None:
        """Return the two scores that separate the outcomes of a kind of file.

        Returns:
            Without a calibration, both scores are the threshold. None where the calibration does not apply to this kind
            of file, or to these settings.
        """
        if not self.is_calibrated:
            return Band(real_below=self.threshold, fake_from=self.threshold)
        return (self.image if kind == "image" else self.video) if self.fits else None

    def reason_to_ignore(self, *, size: float, sharpness: float) -> Reason | None:
        """Return the reason why a face does not count for its file's score; None for a face within the validated range.

        Args:
            size: longer side of the face box, in pixels of the source.
            sharpness: sharpness of the face in its crop.
        """
        if self.validated_on is None:
            return None
        if size < self.validated_on.min_face_size:
            return Reason.FACE_TOO_SMALL
        return Reason.TOO_SOFT if sharpness < self.validated_on.min_sharpness else None

    def frames_needed(self, kind: MediaKind) -> int:
        """Return the number of frames in which a person must be seen within the validated range."""
        return 1 if kind == "image" or self.validated_on is None else self.validated_on.min_frames


def decide(score: float, band: Band) -> Outcome:
    """Return the outcome of a file with a score."""
    if score >= band.fake_from:
        return Outcome.FAKE
    return Outcome.REAL if score < band.real_below else Outcome.UNCERTAIN
