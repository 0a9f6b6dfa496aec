"""Loss of resolution: resizing and blur; and sharpening, which platforms add."""

from __future__ import annotations

import cv2
import numpy as np

from realface.data.degradations.operator import REFERENCE_SIDE, Filter, Image, Operator, Stage, per_frame

RESIZE_FACTORS = (0.75, 0.58, 0.45, 0.34, 0.25)
BLUR_SIGMAS = (0.5, 0.8, 1.2, 1.7, 2.4)
"""Pixels at a side of 224."""

SHRINKING = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_TWO_HOPS = 0.3  # share of chains that shrink in two steps, as an image does that is posted twice


def resized(image: Image, width: int, height: int, interpolation: int) -> Image:
    """Return the image resized by an OpenCV interpolation."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), dtype=np.uint8)


def shrunk(image: Image, factor: float, interpolation: int) -> Image:
    """Return the image with both sides times `factor`, at least 8 pixels."""
    height, width = image.shape[:2]
    return resized(image, max(8, round(width * factor)), max(8, round(height * factor)), interpolation)


def sharpened(image: Image, amount: float, sigma: float) -> Image:
    """Return the image after an unsharp mask.

    Args:
        image: (H, W, 3) RGB.
        amount: share of the detail that is added, >= 0.
        sigma: standard deviation of the Gaussian that separates detail, in pixels.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.asarray(cv2.addWeighted(image, 1 + amount, smooth, -amount, 0), dtype=np.uint8)


def _choice(generator: np.random.Generator, options: tuple[int, ...]) -> int:
    return options[int(generator.integers(len(options)))]


def _draw_resize(level: int, generator: np.random.Generator) -> Filter:
    factor = RESIZE_FACTORS[level - 1] * generator.uniform(0.93, 1.07)
    hops = 2 if generator.random() < _TWO_HOPS else 1
    downs = [_choice(generator, SHRINKING) for _ in range(hops)]
    up = _choice(generator, ENLARGING)

    def change(image: Image) -> Image:
        height, width = image.shape[:2]
        small = image
        for down in downs:
            small = shrunk(small, factor ** (1 / hops), down)
        return resized(small, width, height, up)

    return per_frame(change)


def _draw_blur(level: int, generator: np.random.Generator) -> Filter:
    sigma = BLUR_SIGMAS[level - 1] * generator.uniform(0.9, 1.1)

    def change(image: Image) -> Image:
        scale = max(image.shape[:2]) / REFERENCE_SIDE
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.1, sigma * scale)), dtype=np.uint8)

    return per_frame(change)


RESIZE = Operator(
    "resize", Stage.SIZE, ("to 0.75", "to 0.58", "to 0.45", "to 0.34", "to 0.25 of the side, and back"), _draw_resize
)
BLUR = Operator(
    "blur", Stage.OPTICS, ("sigma 0.5 px", "sigma 0.8 px", "sigma 1.2 px", "sigma 1.7 px", "sigma 2.4 px"), _draw_blur
)
