"""Realface: learn what real faces look like, and find forged ones by what does not fit.

`realface.Detector` takes files and gives verdicts; `realface.load_network` gives the bare network of an artifact.
Both are imported on first use, so that `import realface` is quick and needs no torch.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realface.detection.detector import Detector
    from realface.manifest.manifest import Manifest
    from realface.models.artifact import load_network

__version__ = metadata.version("realface")
__all__ = ["Detector", "Manifest", "__version__", "load_network"]

_HOMES = {
    "Detector": "realface.detection.detector",
    "Manifest": "realface.manifest.manifest",
    "load_network": "realface.models.artifact",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'realface' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
