"""Detect manipulated faces, and train, evaluate and compare detectors.

The names below are imported on first use, so `import realface` is quick and does not import torch.

Example:
    >>> import realface
    >>> detector = realface.Detector.load(device="cpu")
    >>> detector.model[:8]
    'baseline'
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realface.core.crop_spec import CropSpec
    from realface.core.errors import RealfaceError
    from realface.detection.detector import Detector
    from realface.detection.verdict import Verdict
    from realface.evaluation.evaluate import evaluate_artifact
    from realface.manifest.manifest import Manifest
    from realface.metrics.score_table import ScoreTable
    from realface.metrics.summary import summarise
    from realface.models.artifact import load_network, read_card
    from realface.models.method import Method
    from realface.prepare.pipeline import prepare_dataset
    from realface.training.recipe import load_train_recipe
    from realface.training.run import train

__version__ = metadata.version("realface")
__all__ = [
    "CropSpec",
    "Detector",
    "Manifest",
    "Method",
    "RealfaceError",
    "ScoreTable",
    "Verdict",
    "__version__",
    "evaluate_artifact",
    "load_network",
    "load_train_recipe",
    "prepare_dataset",
    "read_card",
    "summarise",
    "train",
]

_HOMES = {
    "CropSpec": "realface.core.crop_spec",
    "Detector": "realface.detection.detector",
    "Manifest": "realface.manifest.manifest",
    "Method": "realface.models.method",
    "RealfaceError": "realface.core.errors",
    "ScoreTable": "realface.metrics.score_table",
    "Verdict": "realface.detection.verdict",
    "evaluate_artifact": "realface.evaluation.evaluate",
    "load_network": "realface.models.artifact",
    "load_train_recipe": "realface.training.recipe",
    "prepare_dataset": "realface.prepare.pipeline",
    "read_card": "realface.models.artifact",
    "summarise": "realface.metrics.summary",
    "train": "realface.training.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'realface' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
