"""The card of an artifact: the description of a trained detector in `model.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from realface.core.calibration import Calibration, ValidatedRange
from realface.core.crop_spec import CropSpec
from realface.core.recipe import Section

FORMAT: Literal[2] = 2
DEMONSTRATION = "demonstration"
"""Purpose of a detector whose scores are meaningless for real videos; every verdict and evaluation states this."""


class ArtifactCard(Section):
    """The content of `model.json`, which describes the weights in the same folder."""

    format: Literal[2] = Field(FORMAT, description="version of the artifact's format")
    method: str = Field(description="name of the method in the catalog")
    config: dict[str, Any] = Field(description="the method's config, as in the recipe's `method` section")
    input_size: int = Field(gt=0, description="height and width to which crops are resized, in pixels")
    interpolation: Literal["bilinear"] = Field(
        "bilinear", description="how crops are resized: OpenCV's bilinear, without antialiasing"
    )
    crop: CropSpec = Field(description="how the crops were made that the network was trained on")
    threshold: float = Field(
        0.5, ge=0, le=1, description="score from which a face is called fake, in evaluations and without a calibration"
    )
    threshold_rule: str = Field("", description="what chose the threshold, and on which set")
    calibration: Calibration | None = Field(None, description="how scores become verdicts; null: only by the threshold")
    validated_on: ValidatedRange | None = Field(None, description="faces and files that get a verdict; null: all files")
    trained_on: list[dict[str, Any]] = Field(
        default=[],
        description="per manifest: name, sha256, rows, crop in words; of an MAE inside the network: role, name, "
        "sha256, trained_on; of the initial weights of the encoder: role, name, sha256; "
        "of re-synthesised faces: role, name, sha256 of the weights, steps, seed, split, number of training faces",
    )
    metrics: dict[str, Any] = Field(default={}, description="of the validation that chose these weights")
    licence: str = Field("", description="terms under which the weights may be used")
    purpose: Literal["detection", "research", "demonstration"] = Field(
        "research",
        description="`demonstration`: scores are meaningless for real videos, and every verdict states this",
    )
    weights_sha256: str = Field("", description="of model.safetensors; filled in on saving")
    provenance: dict[str, Any] = Field(default={}, description="versions, commit, machine and command")
