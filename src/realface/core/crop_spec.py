"""How a face is cut out of a picture, written down, so that a model only ever sees the crops it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from realface.core.errors import CropSpecError

UNKNOWN = "unknown"
_CHOOSING = ("face", "min_face", "frames")  # fields that choose crops and change no pixel of one


class CropSpec(BaseModel):
    """Everything that decides which pixels of a frame become the crop.

    It stands in the manifest's header and in the artifact. Two specs fit when they cut a face alike, whichever faces
    and however many frames of a video they take.

    Example:
        >>> CropSpec(face_detector="mtcnn", face_detector_version="1", margin=0.4).describe()
        'mtcnn (1), margin 0.4, 256 px PNG, alignment none, face largest, 32 frames'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    face_detector: str = Field(
        "mtcnn", description="which face detector; `unknown` for crops made elsewhere, by means unknown"
    )
    face_detector_version: str = Field("", description="the face detector's package and version, or its file's SHA-256")
    margin: float = Field(
        0.3, ge=0, le=4, description="added around the face, as a share of the box's longer side, or of the template's"
    )
    size: int = Field(256, ge=16, le=4096, description="height and width of the stored crop, in pixels")
    alignment: Literal["none", "five-point"] = Field(
        "none",
        description="`none`: upright square around the box; `five-point`: turned and scaled so that eyes, nose and "
        "mouth stand where ArcFace's template of 112 pixels has them",
    )
    edge: Literal["repeat", "inside"] = Field(
        "repeat",
        description="`repeat`: a square that reaches beyond the image repeats its border there; `inside`: the square "
        "is moved, and shrunk if necessary, until it is inside the image; only with alignment `none`",
    )
    jpeg_quality: int | None = Field(
        None, ge=1, le=95, description="quality of the stored JPEG; none: PNG, which loses nothing"
    )
    face: Literal["largest", "mask", "all"] = Field(
        "largest",
        description="which person is kept when videos are prepared: `largest`; `mask`: the one whose face the mask "
        "marks, and the largest where there is no mask; `all`",
    )
    min_face: int = Field(0, ge=0, description="a face box whose longer side has fewer pixels is left out in preparing")
    frames: int = Field(32, ge=1, description="frames taken from a video, evenly spread over its length")

    @model_validator(mode="after")
    def _edge_fits_alignment(self) -> Self:
        if self.edge == "inside" and self.alignment != "none":
            raise ValueError("edge `inside` needs alignment `none`: an aligned square cannot be moved")
        return self

    @property
    def is_unknown(self) -> bool:
        """Whether the crops were made elsewhere, so that nothing is known of how."""
        return self.face_detector == UNKNOWN

    @classmethod
    def unknown(cls) -> CropSpec:
        """The spec of crops and weights that came from elsewhere."""
        return cls(face_detector=UNKNOWN)

    def cuts_like(self, other: CropSpec) -> bool:
        """Whether the same face of a frame gives the same crop by both."""
        return self == other.model_copy(update={name: getattr(self, name) for name in _CHOOSING})

    def describe(self) -> str:
        """One line for messages and reports."""
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
    """Refuse crops that the model was not trained for.

    Unknown crops or weights are let through, because nothing can be compared. The caller warns of them, by
    `note_of_unknown_crops`.

    Raises:
        CropSpecError: both are known and they differ; the text gives both.
    """
    if crops.is_unknown or model.is_unknown or crops.cuts_like(model):
        return
    raise CropSpecError(
        f"{crops_name} holds crops made with [{crops.describe()}] but {model_name} expects [{model.describe()}]",
        hint="prepare the videos again with the model's spec, or train on these crops",
    )


def note_of_unknown_crops(specs: Mapping[str, CropSpec]) -> str | None:
    """What to say of crops and weights, by name, that `require_same_crops` lets through; None where all are known."""
    unknown = [name for name, spec in specs.items() if spec.is_unknown]
    if not unknown:
        return None
    return f"how the crops were made is not known ({', '.join(unknown)}); whether they fit is not checked"
