"""Crop settings, stored with data and models, so that a model only receives crops like those it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from realface.core.errors import CropSpecError

UNKNOWN = "unknown"
_CHOOSING = ("face", "min_face", "frames")  # fields that select crops and do not change their pixels


class CropSpec(BaseModel):
    """Settings that decide which pixels of a frame become the crop.

    The manifest's header and the artifact contain them. Two specs match if they crop a given face in the same way,
    even if they select different faces or numbers of frames.

    Example:
        >>> CropSpec(face_detector="mtcnn", face_detector_version="1", margin=0.4).describe()
        'mtcnn (1), margin 0.4, 256 px PNG, alignment none, face largest, 32 frames'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    face_detector: str = Field(
        "mtcnn", description="name of the face detector; `unknown` for crops whose settings were not recorded"
    )
    face_detector_version: str = Field("", description="the face detector's package and version, or its file's SHA-256")
    margin: float = Field(
        0.3, ge=0, le=4, description="added around the face, as a share of the box's longer side, or of the template's"
    )
    size: int = Field(256, ge=16, le=4096, description="height and width of the stored crop, in pixels")
    alignment: Literal["none", "five-point"] = Field(
        "none",
        description="`none`: upright square around the box; `five-point`: turned and scaled so that eyes, nose and "
        "mouth match ArcFace's template of 112 pixels",
    )
    edge: Literal["repeat", "inside"] = Field(
        "repeat",
        description="`repeat`: a square that reaches beyond the image repeats its border there; `inside`: the square "
        "is moved, and shrunk if necessary, until it is inside the image; only with alignment `none`",
    )
    jpeg_quality: int | None = Field(
        None, ge=1, le=95, description="quality of the stored JPEG; none: PNG, which is lossless"
    )
    face: Literal["largest", "mask", "all"] = Field(
        "largest",
        description="which face to keep when videos are prepared: `largest`; `mask`: the manipulated face according "
        "to the mask, or the largest without a mask; `all`",
    )
    min_face: int = Field(0, ge=0, description="`prepare` skips faces whose box has a longer side of fewer pixels")
    frames: int = Field(32, ge=1, description="frames taken from a video, evenly spread over its length")

    @model_validator(mode="after")
    def _edge_fits_alignment(self) -> Self:
        if self.edge == "inside" and self.alignment != "none":
            raise ValueError("edge `inside` needs alignment `none`: an aligned square cannot be moved")
        return self

    @property
    def is_unknown(self) -> bool:
        """True if the crops were made elsewhere and their settings were not recorded."""
        return self.face_detector == UNKNOWN

    @classmethod
    def unknown(cls) -> CropSpec:
        """Return the spec of crops and weights whose settings were not recorded."""
        return cls(face_detector=UNKNOWN)

    def cuts_like(self, other: CropSpec) -> bool:
        """Return True if both specs give the same crop for the same face of a frame."""
        return self == other.model_copy(update={name: getattr(self, name) for name in _CHOOSING})

    def describe(self) -> str:
        """Return the settings as one line, for messages and reports."""
        if self.is_unknown:
            return UNKNOWN
        version = f" ({self.face_detector_version})" if self.face_detector_version else ""
        stored = "PNG" if self.jpeg_quality is None else f"JPEG {self.jpeg_quality}"
        smallest = f" from {self.min_face} px" if self.min_face else ""
        edge = "" if self.edge == "repeat" else f", edge {self.edge}"
        return (
            f"{self.face_detector}{version}, margin {self.margin:g}, {self.size} px {stored}, "
            f"alignment {self.alignment}{edge}, face {self.face}{smallest}, {self.frames} frames"
        )


def require_same_crops(crops: CropSpec, *, crops_name: str, model: CropSpec, model_name: str) -> None:
    """Raise an error if the model was trained on crops with other settings.

    Crops and weights with unknown settings are accepted, because they cannot be compared. The caller warns about
    them with `note_of_unknown_crops`.

    Args:
        crops: settings of the crops.
        crops_name: name of the crops in the error.
        model: settings of the crops that the model was trained on.
        model_name: name of the model in the error.

    Raises:
        CropSpecError: both are known and they differ; the text gives both.
    """
    if crops.is_unknown or model.is_unknown or crops.cuts_like(model):
        return
    raise CropSpecError(
        f"{crops_name} contains crops made with [{crops.describe()}] but {model_name} expects [{model.describe()}]",
        hint="prepare the videos again with the model's spec, or train on these crops",
    )


def note_of_unknown_crops(specs: Mapping[str, CropSpec]) -> str | None:
    """Return a warning with the names of specs with unknown settings; None if all are known.

    Args:
        specs: crop settings by the name of the crops or weights.
    """
    unknown = [name for name, spec in specs.items() if spec.is_unknown]
    if not unknown:
        return None
    return f"unknown crop settings ({', '.join(unknown)}); cannot check whether crops and model match"
