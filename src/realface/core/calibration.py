"""The sections of an artifact's card about verdicts: score bands, the data behind them, and the validated range.

`realface calibrate` writes these sections; `realface.metrics.conformal` has the mathematics.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from realface.core.recipe import Section


class Band(Section):
    """The two scores that separate `real`, `uncertain` and `fake` for one kind of file."""

    real_below: float = Field(description="a file with a lower score is called real; 0: none is")
    fake_from: float = Field(description="a file with this score or a higher one is called fake; above 1: none is")

    @model_validator(mode="after")
    def _is_ordered(self) -> Band:
        if self.real_below > self.fake_from:
            raise ValueError(f"real_below {self.real_below} must not exceed fake_from {self.fake_from}")
        return self


class SourceCounts(Section):
    """The contribution of one source to the calibration."""

    name: str = Field(description="the source, such as a dataset, or a kind of fakes")
    label: Literal["real", "fake"] = Field(description="label of its files")
    images: int = Field(ge=0, description="number of its images with a score")
    videos: int = Field(ge=0, description="number of its videos with a score")
    identities: int = Field(ge=1, description="number of people in them")
    not_answered: int = Field(0, ge=0, description="number of its files outside the validated range, or without a face")


class TableHash(Section):
    """A file that the calibration was computed from."""

    name: str = Field(description="the file's name")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of its bytes")


class Calibration(Section):
    """The bands that turn scores into verdicts, and the data that chose them."""

    rule: str = Field(description="how the bands were chosen, in words")
    method: Literal["split-conformal"] = Field("split-conformal", description="what bounds the false alarms")
    alpha: float = Field(0.05, gt=0, lt=1, description="bound on the share of held-out reals that are called fake")
    beta: float = Field(0.1, gt=0, lt=1, description="bound on the share of held-out fakes that are called real")
    image: Band | None = Field(None, description="band of images; null: images get no verdict")
    video: Band | None = Field(None, description="band of videos; null: videos get no verdict")
    sources: list[SourceCounts] = Field(min_length=1, description="the data that chose the bands")
    tables: list[TableHash] = Field(min_length=1, description="the score tables: the files given to `calibrate`")
    input_size: int = Field(gt=0, description="height and width given to the network, in pixels")
    num_frames: int = Field(gt=0, description="frames examined per video")


class ValidatedRange(Section):
    """The faces and files that the detector was validated on; files outside this range get no verdict."""

    min_face_size: float = Field(ge=0, description="longer side of the face box, in pixels of the source")
    min_sharpness: float = Field(ge=0, description="of the face in its crop, see `realface.faces.sharpness`")
    min_frames: int = Field(1, ge=1, description="frames of a video in which a face within the range is needed")
    share_answered: float = Field(
        ge=0, le=1, description="share of the held-out real files within the range, each source counting equally"
    )
