"""Statistical changes that make two copies of a face differ: colour and detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.data.degradations.codecs import through_jpeg, through_webp
from realface.data.degradations.operator import as_uint8
from realface.data.degradations.resampling import ENLARGING, resized, sharpened, shrunk
from realface.data.pseudo_fakes.contract import Image

DetailChange = Literal["resample", "sharpen", "blur", "jpeg", "webp", "noise", "none"]

SOFTER_SHARES: dict[DetailChange, float] = {
    "resample": 0.58,
    "sharpen": 0.1,
    "blur": 0.12,
    "jpeg": 0.06,
    "webp": 0.04,
    "noise": 0.04,
    "none": 0.06,
}
"""Alterations of pasted content: generators work at a lower resolution, so fakes are softer inside than outside."""
SHARPER_SHARES: dict[DetailChange, float] = {"sharpen": 0.4, "noise": 0.15, "jpeg": 0.1, "none": 0.35}
"""For the surroundings."""

_LUMA = np.array([0.299, 0.587, 0.114])
_REFERENCE = 224  # pixels of a side for which widths are stated


@dataclass(frozen=True)
class ColourRanges:
    """Half-widths of the ranges of a colour change, each drawn uniformly around no change.

    Attributes:
        shift: largest shift of each channel, in grey levels.
        brightness: largest shift common to all channels, in grey levels.
        contrast: largest relative change of the contrast around the mean.
        hue: largest rotation of the hue, in degrees.
        saturation: largest relative change of the saturation.
        gamma: largest absolute logarithm of the gamma exponent.
    """

    shift: float = 20
    brightness: float = 15
    contrast: float = 0.15
    hue: float = 12
    saturation: float = 0.25
    gamma: float = 0.2


def altered_colour(
    image: Image, generator: np.random.Generator, *, strength: float = 1.0, ranges: ColourRanges | None = None
) -> Image:
    """Change the colours of an image by one affine map of RGB, and sometimes a gamma.

    Args:
        image: (H, W, 3) RGB.
        generator: source of everything random.
        strength: factor of every range.
        ranges: see `ColourRanges`.

    Source: arXiv 2204.08376, section 3.1, names shifts of RGB, hue, saturation, brightness and contrast without their
    ranges; these are ours.
    """
    ranges = ranges or ColourRanges()
    used = generator.random(5) < (0.6, 0.5, 0.5, 0.4, 0.15)
    shift = generator.uniform(-ranges.shift, ranges.shift, size=3) * strength * used[0]
    brightness = generator.uniform(-ranges.brightness, ranges.brightness) * strength * used[1]
    contrast = 1 + generator.uniform(-ranges.contrast, ranges.contrast) * strength * used[2]
    hue = np.deg2rad(generator.uniform(-ranges.hue, ranges.hue)) * strength * used[3]
    saturation = 1 + generator.uniform(-ranges.saturation, ranges.saturation) * strength * used[3]
    exponent = np.exp(generator.uniform(-ranges.gamma, ranges.gamma) * strength * used[4])
    matrix = contrast * _hue_and_saturation(hue, saturation)
    mean = image.mean(axis=(0, 1))
    offset = (1 - contrast) * mean + shift + brightness
    changed = cv2.transform(image, np.column_stack([matrix, offset]))
    if used[4]:
        table = as_uint8(np.float32(255) * (np.arange(256, dtype=np.float32) / 255) ** np.float32(exponent))
        changed = cv2.LUT(changed, table)
    return np.asarray(changed, dtype=np.uint8)


def altered_detail(
    image: Image, generator: np.random.Generator, shares: dict[DetailChange, float]
) -> tuple[Image, DetailChange]:
    """Make an image sharper, softer, noisier or coded worse.

    Args:
        image: (H, W, 3) RGB.
        generator: source of everything random.
        shares: relative frequency of each change.

    Returns:
        The changed image, and the name of the change.

    Source: arXiv 2204.08376, section 3.1, sharpens or shrinks and enlarges; codecs, noise and ranges are ours.
    """
    names = list(shares)
    weights = np.array([shares[name] for name in names])
    name = names[int(generator.choice(len(names), p=weights / weights.sum()))]
    strength = float(generator.random())
    seed = int(generator.integers(2**32))
    up = int(generator.integers(len(ENLARGING)))
    scale = max(image.shape[:2]) / _REFERENCE
    return _CHANGES[name](image, strength, seed, up, scale), name


def _resample(image: Image, strength: float, seed: int, up: int, scale: float) -> Image:
    """Down to 64 to 200 of 224 pixels, the resolutions of generators."""
    del seed, scale
    height, width = image.shape[:2]
    factor = (200 - 136 * strength) / _REFERENCE
    return resized(shrunk(image, factor, cv2.INTER_AREA), width, height, ENLARGING[up])


def _sharpen(image: Image, strength: float, seed: int, up: int, scale: float) -> Image:
    del seed
    return sharpened(image, 0.2 + 0.7 * strength, (0.7 + 0.5 * up) * scale)


def _blur(image: Image, strength: float, seed: int, up: int, scale: float) -> Image:
    del seed, up
    return np.asarray(cv2.GaussianBlur(image, (0, 0), (0.6 + strength) * scale), dtype=np.uint8)


def _jpeg(image: Image, strength: float, seed: int, up: int, scale: float) -> Image:
    del scale
    top, left = seed % 8, seed // 8 % 8  # shifts the JPEG blocks of the pasted content against the surroundings
    framed = cv2.copyMakeBorder(image, top, 0, left, 0, cv2.BORDER_REFLECT_101)
    return through_jpeg(np.asarray(framed, dtype=np.uint8), round(85 - 55 * strength), subsampled=up > 0)[top:, left:]


def _webp(image: Image, strength: float, seed: int, up: int, scale: float) -> Image:
    del seed, up, scale
    return through_webp(image, round(80 - 60 * strength))


def _noise(image: Image, strength: float, seed: int, up: int, scale: float) -> Image:
    del scale
    shape = (*image.shape[:2], 1 if up else 3)
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return as_uint8(image + np.float32(2 + 5 * strength) * noise)


def _none(image: Image, strength: float, seed: int, up: int, scale: float) -> Image:
    del strength, seed, up, scale
    return image


_CHANGES = {
    "resample": _resample,
    "sharpen": _sharpen,
    "blur": _blur,
    "jpeg": _jpeg,
    "webp": _webp,
    "noise": _noise,
    "none": _none,
}


def _hue_and_saturation(angle: float, saturation: float) -> NDArray[np.float64]:
    """The RGB matrix that turns colours around the grey axis and scales their distance from it; grey stays grey."""
    grey = np.outer(np.ones(3), _LUMA)
    axis = np.ones(3) / np.sqrt(3)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    return np.asarray(grey + saturation * (np.eye(3) - grey) @ turn)
