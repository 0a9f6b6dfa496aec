"""The interface of a degradation operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Filter = Callable[[Sequence[Image]], list[Image]]
"""Degrades the frames of a clip, or one image as a clip of one frame; the result depends on its input only."""

NUM_LEVELS = 5
REFERENCE_SIDE = 224
"""Image side in pixels for which sizes such as the width of a blur are stated; they scale with the image."""


class Stage(IntEnum):
    """Stage of an operator on the way from a camera to a viewer; a chain applies its operators in this order."""

    OPTICS = 0
    SENSOR = 1
    TONE = 2
    SIZE = 3
    CODEC = 4
    PLATFORM = 5


@dataclass(frozen=True)
class Operator:
    """A named degradation.

    Attributes:
        name: name in recipes and tables.
        stage: place in a chain of operators.
        levels: the setting of each of the five levels, in words, mildest first.
        draw: (level, generator) -> `Filter`. The level is in 1 to 5; everything random is drawn here, so a filter
            gives equal results for equal images.
    """

    name: str
    stage: Stage
    levels: tuple[str, str, str, str, str]
    draw: Callable[[int, np.random.Generator], Filter]

    def __call__(self, image: Image, level: int, generator: np.random.Generator) -> Image:
        """Degrade one image.

        Args:
            image: (H, W, 3) RGB, not modified.
            level: 1 (mildest) to 5.
            generator: source of everything random.

        Returns:
            (H, W, 3) RGB, a new array.
        """
        return self.draw(level, generator)([image])[0]


def per_frame(change: Callable[[Image], Image]) -> Filter:
    """Return the filter that applies the same change to each frame."""
    return lambda frames: [change(frame) for frame in frames]


def as_uint8(image: NDArray[np.floating]) -> Image:
    """Round to the nearest integer and clip to [0, 255].

    Args:
        image: (H, W, 3), in grey levels.
    """
    return np.asarray(np.clip(image + np.float32(0.5), 0, 255), dtype=np.uint8)
