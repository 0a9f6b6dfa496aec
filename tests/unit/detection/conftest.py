from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realface.core.artifact import ArtifactCard
from realface.core.boxes import Box
from realface.core.calibration import Band, Calibration, SourceCounts, TableHash
from realface.core.crop_spec import CropSpec
from realface.detection.detector import Detector
from realface.detection.inpainting import Inpainter, Inpainting
from realface.faces.detectors.face_detector import Face
from realface.media.video_writing import write_video
from realface.models.outputs import ReconstructionOutput
from realface.models.rffr.config import MaeConfig, ResidualSection
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.residual import ResidualSource

SPEC = CropSpec(face_detector="scripted", face_detector_version="1", margin=0.0, size=32, frames=6)


class Brightness(nn.Module):
    """The logit of a face's mean brightness, so that the score is the brightness itself."""

    def forward(self, image: Tensor) -> ReconstructionOutput:
        gray = image.mean(dim=1, keepdim=True)
        return ReconstructionOutput(logit=torch.logit(gray.mean(dim=(1, 2, 3))), reconstruction=image, error_map=gray)


@dataclass
class ScriptedFaceDetector:
    """Gives each picture, in the order in which they come, the boxes that were written down for it."""

    script: list[list[Box]]
    name: str = "scripted"
    version: str = "1"
    calls: list[int] = field(default_factory=list)

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        self.calls.append(len(images))
        return [[Face(box, 0.99, np.zeros((5, 2), np.float32)) for box in self.script.pop(0)] for _ in images]


DetectorBuilder = Callable[..., Detector]


@pytest.fixture
def build_detector() -> DetectorBuilder:
    def build(script: Sequence[Sequence[Box]] | None, **settings: object) -> Detector:
        """A detector whose score of a face is its brightness; without a script the files are face crops."""
        fields = {name: settings.pop(name, None) for name in ("calibration", "validated_on")}
        card = ArtifactCard(
            method=settings.pop("method", "recce"),
            config={},
            input_size=16,
            crop=SPEC,
            purpose=settings.pop("purpose", "detection"),
            weights_sha256="0123456789abcdef",
            **fields,
        )
        face_detector = None if script is None else ScriptedFaceDetector([list(boxes) for boxes in script])
        network = settings.pop("network", None) or Brightness()
        return Detector(network, card, face_detector=face_detector, device=torch.device("cpu"), **settings)  # type: ignore[arg-type]

    return build


class SaysBlack(MaskedAutoencoder):
    """An MAE of 8 x 8 patches that inpaints black, and notes how many passes it is asked for at once."""

    def __init__(self) -> None:
        super().__init__(MaeConfig(size="tiny", input_size=64, patch_size=8))
        self.passes: list[int] = []

    def predict(self, tokens: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        self.passes.append(len(hidden))
        return torch.zeros(*hidden.shape, 3 * 8 * 8)


InpainterBuilder = Callable[..., Inpainter]


@pytest.fixture
def build_inpainter() -> InpainterBuilder:
    def build(script: Sequence[Sequence[Box]] | None, **settings: object) -> Inpainter:
        """An inpainter whose error of a face is its brightness; without a script the files are face crops."""
        purpose = settings.pop("purpose", "detection")
        mae = settings.pop("mae", None) or SaysBlack()
        card = ArtifactCard(
            method="rffr-mae", config={}, input_size=64, crop=SPEC, purpose=purpose, weights_sha256="0123456789abcdef"
        )
        return Inpainter(
            ResidualSource(mae, ResidualSection()),  # type: ignore[arg-type]
            card,
            face_detector=None if script is None else ScriptedFaceDetector([list(boxes) for boxes in script]),
            device=torch.device("cpu"),
            asked=Inpainting(**settings),  # type: ignore[arg-type]
        )

    return build


def gray(brightness: float, *, size: int = 64) -> NDArray[np.uint8]:
    return np.full((size, size, 3), round(brightness * 255), np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    def write(*brightness: float, name: str = "clip.mp4") -> Path:
        path = tmp_path / name
        write_video(path, [gray(value) for value in brightness], crf=1)
        return path

    return write


@pytest.fixture
def calibration() -> Callable[..., Calibration]:
    """A calibration for the detectors of `build_detector`."""

    def build(**changes: object) -> Calibration:
        fields: dict[str, object] = {
            "rule": "as a test has it",
            "image": Band(real_below=0.3, fake_from=0.7),
            "video": Band(real_below=0.4, fake_from=0.6),
            "sources": [SourceCounts(name="lfw", label="real", images=40, videos=40, identities=40)],
            "tables": [TableHash(name="verdicts.json", sha256="0" * 64)],
            "input_size": 16,
            "num_frames": SPEC.frames,
        }
        return Calibration.model_validate(fields | changes)

    return build
