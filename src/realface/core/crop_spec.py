"""How a face is cut out of a picture, written down, so that a model only ever sees the crops it was trained on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from realface.core.errors import CropSpecError

EXTERNAL = "external"


class CropSpec(BaseModel):
    """Everything that decides which pixels of a frame become the crop.

    It stands in the manifest's header and in the artifact. Two specs fit when they cut a frame alike, however many
    frames of a video they take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    finder: str = Field("mtcnn", description="which face finder; `external` for crops made elsewhere, by means unknown")
    finder_version: str = Field("", description="the finder's package and version, or its file's SHA-256")
    margin: float = Field(0.3, ge=0, le=4, description="share of the face box's longer side added around it, in all")
    size: int = Field(256, ge=16, le=4096, description="height and width of the stored crop, in pixels")
    alignment: Literal["none"] = Field("none", description="`none`: upright square around the box")
    face: Literal["largest"] = Field("largest", description="which face of a frame is kept when videos are prepared")
    frames: int = Field(32, ge=1, description="frames taken from a video, evenly spread over its length")

    @property
    def is_external(self) -> bool:
        """Whether the crops were made elsewhere, so that nothing is known of how."""
        return self.finder == EXTERNAL

    @classmethod
    def external(cls) -> CropSpec:
        """The spec of crops and weights that came from elsewhere."""
        return cls(finder=EXTERNAL)

    def cuts_like(self, other: CropSpec) -> bool:
        """Whether the same frame gives the same crop by both."""
        return self == other.model_copy(update={"frames": self.frames})

    def describe(self) -> str:
        """One line for messages and reports."""
        if self.is_external:
            return EXTERNAL
        version = f" ({self.finder_version})" if self.finder_version else ""
        return (
            f"{self.finder}{version}, margin {self.margin:g}, {self.size} px, alignment {self.alignment}, "
            f"{self.face} face, {self.frames} frames"
        )


def require_same_crops(crops: CropSpec, *, crops_name: str, model: CropSpec, model_name: str) -> None:
    """Refuse crops that the model was not trained for.

    External crops or weights are let through: nothing is known that could be compared. The caller warns of them.

    Raises:
        CropSpecError: both are known and they differ; the text gives both.
    """
    if crops.is_external or model.is_external or crops.cuts_like(model):
        return
    raise CropSpecError(
        f"{crops_name} holds crops made with [{crops.describe()}] but {model_name} expects [{model.describe()}]; "
        "prepare the videos again with the model's spec, or train on these crops"
    )
