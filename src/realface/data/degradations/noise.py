"""Noise of sensors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.data.degradations.operator import Filter, Image, Operator, Stage, as_uint8

GAUSSIAN_SIGMAS = (2.0, 3.5, 5.5, 8.0, 11.5)
"""Grey levels."""
ISO_GAINS = (0.12, 0.3, 0.6, 1.1, 1.9)
"""Grey levels of variance per grey level of brightness: the shot noise of a sensor grows with its signal."""

_READ_NOISE = 0.25  # share of the shot noise at mid grey that stays in the dark
_CHROMA = 0.6  # strength of colour noise relative to brightness noise
_GRAIN_SIGMA = 0.6  # pixels; demosaicing spreads the noise of a pixel over its neighbours


def _noise(seed: int, frame: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal noise that follows from the seed and the frame's number."""
    return np.random.default_rng((seed, frame)).standard_normal(shape, dtype=np.float32)


def _draw_gaussian(level: int, generator: np.random.Generator) -> Filter:
    sigma = np.float32(GAUSSIAN_SIGMAS[level - 1] * generator.uniform(0.85, 1.15))
    channels = 3 if generator.random() < 0.5 else 1
    seed = int(generator.integers(2**32))

    def change(frames: Sequence[Image]) -> list[Image]:
        return [
            as_uint8(image + sigma * _noise(seed, index, (*image.shape[:2], channels)))
            for index, image in enumerate(frames)
        ]

    return change


def _draw_iso(level: int, generator: np.random.Generator) -> Filter:
    gain = ISO_GAINS[level - 1] * float(generator.uniform(0.85, 1.15))
    seed = int(generator.integers(2**32))

    def change(frames: Sequence[Image]) -> list[Image]:
        return [_with_iso_noise(image, gain, seed, index) for index, image in enumerate(frames)]

    return change


def _with_iso_noise(image: Image, gain: float, seed: int, frame: int) -> Image:
    noise = _noise(seed, frame, (*image.shape[:2], 4))
    grain = cv2.GaussianBlur(noise, (0, 0), _GRAIN_SIGMA) * np.float32(2 * _GRAIN_SIGMA)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    sigma = np.sqrt(gain * (grey + _READ_NOISE * 128))[..., None]
    return as_uint8(image + sigma * (grain[..., :1] + np.float32(_CHROMA) * grain[..., 1:]))


GAUSSIAN_NOISE = Operator(
    "gaussian_noise",
    Stage.SENSOR,
    ("sigma 2", "sigma 3.5", "sigma 5.5", "sigma 8", "sigma 11.5 grey levels"),
    _draw_gaussian,
)
ISO_NOISE = Operator(
    "iso_noise", Stage.SENSOR, ("gain 0.12", "gain 0.3", "gain 0.6", "gain 1.1", "gain 1.9"), _draw_iso
)
