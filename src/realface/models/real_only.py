"""What a method offers that learns from real faces alone: how it is judged, and how it comes to a score."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class RealOnly:
    """How a method that never sees a fake in training is validated and completed.

    The functions find the network in eval mode and without gradients, and draw nothing from torch's global generators.

    Attributes:
        errors: (network, image (B, 3, H, W) in [0, 1]) -> (B,) >= 0, how badly each face is inpainted; the step with
            the lowest mean is the best.
        fit: (network, batches of real faces) sets in place what the network's score needs, and returns what it
            measured, for the artifact's metrics. Nothing where the network, as it is configured, has no score.
        sheet: (network, image (B, 3, H, W) in [0, 1]) -> (height, width, 3), a picture of what becomes of some faces.
        fewest_faces: that `fit` needs; a run on fewer validation faces is refused before it begins.
    """

    errors: Callable[[Any, Tensor], Tensor]
    fit: Callable[[Any, Iterable[Tensor]], dict[str, Any]]
    sheet: Callable[[Any, Tensor], NDArray[np.uint8]]
    fewest_faces: int = 1
