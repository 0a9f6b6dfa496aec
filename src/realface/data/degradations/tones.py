"""Changes of brightness and colour."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.data.degradations.operator import Filter, Image, Operator, Stage, as_uint8, per_frame

GAMMAS = (1.1, 1.2, 1.35, 1.55, 1.8)
BRIGHTNESS_SHIFTS = (8, 16, 25, 36, 50)
"""Grey levels."""
CONTRAST_FACTORS = (1.08, 1.17, 1.28, 1.42, 1.6)
SATURATION_FACTORS = (1.15, 1.35, 1.6, 2.0, 2.6)

_GREYS = np.arange(256, dtype=np.float32)


def _either_way(factor: float, generator: np.random.Generator) -> float:
    """Return the factor or its inverse, varied a little."""
    varied = factor ** generator.uniform(0.8, 1.2)
    return float(varied if generator.random() < 0.5 else 1 / varied)


def _by_table(values: NDArray[np.float32]) -> Filter:
    table = as_uint8(values)
    return per_frame(lambda image: np.asarray(cv2.LUT(image, table), dtype=np.uint8))


def _draw_gamma(level: int, generator: np.random.Generator) -> Filter:
    exponent = np.float32(_either_way(GAMMAS[level - 1], generator))
    return _by_table(np.float32(255) * (_GREYS / np.float32(255)) ** exponent)


def _draw_brightness(level: int, generator: np.random.Generator) -> Filter:
    shift = BRIGHTNESS_SHIFTS[level - 1] * generator.uniform(0.8, 1.2)
    return _by_table(_GREYS + np.float32(shift if generator.random() < 0.5 else -shift))


def _draw_contrast(level: int, generator: np.random.Generator) -> Filter:
    factor = np.float32(_either_way(CONTRAST_FACTORS[level - 1], generator))
    return _by_table((_GREYS - np.float32(128)) * factor + np.float32(128))


def _draw_saturation(level: int, generator: np.random.Generator) -> Filter:
    factor = np.float32(_either_way(SATURATION_FACTORS[level - 1], generator))

    def change(image: Image) -> Image:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
        return as_uint8(grey + (image - grey) * factor)

    return per_frame(change)


def _operator(name: str, levels: tuple[str, ...], draw: Callable[[int, np.random.Generator], Filter]) -> Operator:
    first, second, third, fourth, fifth = levels
    return Operator(name, Stage.TONE, (first, second, third, fourth, fifth), draw)


GAMMA = _operator("gamma", tuple(f"exponent {value} or its inverse" for value in GAMMAS), _draw_gamma)
BRIGHTNESS = _operator("brightness", tuple(f"+-{value} grey levels" for value in BRIGHTNESS_SHIFTS), _draw_brightness)
CONTRAST = _operator("contrast", tuple(f"factor {value} or its inverse" for value in CONTRAST_FACTORS), _draw_contrast)
SATURATION = _operator(
    "saturation", tuple(f"factor {value} or its inverse" for value in SATURATION_FACTORS), _draw_saturation
)
