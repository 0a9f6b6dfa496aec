"""Smoother faces: rendered, generated and retouched faces have less detail than photographed faces.

This file defines four kinds, which differ in one filter only. Source: ours; see each filter.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.mesh_regions import LEFT_EYE, LIPS, RIGHT_EYE
from realface.data.degradations.operator import as_uint8
from realface.data.degradations.resampling import resized, sharpened, shrunk
from realface.data.pseudo_fakes.blending import alpha_blend
from realface.data.pseudo_fakes.contract import Image, Kind, Landmarks, Mask, Parameter, Partner, PseudoFake
from realface.data.pseudo_fakes.points import Points, dense_points, face_side
from realface.data.pseudo_fakes.regions import draw_mask, draw_region, finished_mask, plain_mask

REGION_SHARES = {"oval": 0.35, "hull": 0.25, "head": 0.25, "inner": 0.05, "lower": 0.1}
WHOLE_SHARE = 0.15
"""Share of samples with the whole crop filtered, like a rendered head; the mask is then 1 everywhere."""
SHARPENED_SHARE = 0.4
"""Share of filtered faces that are sharpened afterwards; renderers and apps do this."""

Filter = Callable[[Image, float, np.random.Generator], Image]
"""(image, strength in [0, 1], generator) -> filtered image."""


def bilateral(image: Image, strength: float, generator: np.random.Generator) -> Image:
    """Smooth areas and keep edges. Source: Tomasi and Manduchi 1998; ranges ours."""
    del generator
    return np.asarray(cv2.bilateralFilter(image, 7, 18 + 32 * strength, 3 + 4 * strength), dtype=np.uint8)


def denoising(image: Image, strength: float, generator: np.random.Generator) -> Image:
    """Shrink small detail towards 0 at two scales, and keep large detail.

    Source: coring, or soft thresholding of detail bands (Donoho 1995); ranges ours.
    """
    del generator
    level = image.astype(np.float32)
    kept: NDArray[np.float32] = np.zeros_like(level)
    for sigma, threshold in ((0.8, 3 + 7 * strength), (1.6, 2 + 5 * strength)):
        smooth = np.asarray(cv2.GaussianBlur(level, (0, 0), sigma), dtype=np.float32)
        detail = level - smooth
        kept += detail - np.clip(detail, -threshold, threshold)
        level = smooth
    return as_uint8(level + kept)


def resampling(image: Image, strength: float, generator: np.random.Generator) -> Image:
    """Shrink, then double and blur until the size is reached again, as a decoder of a generator does; ours."""
    height, width = image.shape[:2]
    nearest = generator.random(6) < 0.4
    small = shrunk(image, 0.6 - 0.35 * strength, cv2.INTER_AREA)
    for is_nearest in nearest:
        if small.shape[0] >= height:
            break
        up = cv2.INTER_NEAREST if is_nearest else cv2.INTER_LINEAR
        small = resized(small, small.shape[1] * 2, small.shape[0] * 2, up)
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), 0.7), dtype=np.uint8)
    return resized(small, width, height, cv2.INTER_AREA if small.shape[0] > height else cv2.INTER_CUBIC)


def beauty(image: Image, strength: float, generator: np.random.Generator) -> Image:
    """Even out the skin with a guided filter and brighten it a little.

    Source: He et al. 2010, "Guided Image Filtering", on the brightness; ranges ours.
    """
    glow = 1 + generator.uniform(0, 0.06)
    radius = 2 * round(image.shape[0] * (0.015 + 0.015 * strength)) + 1
    evenness = (12 + 18 * strength) ** 2
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    luma = np.asarray(ycc[..., 0], dtype=np.float32)
    mean = np.asarray(cv2.blur(luma, (radius, radius)), dtype=np.float32)
    variance = np.asarray(cv2.blur(luma * luma, (radius, radius)), dtype=np.float32) - mean * mean
    gain = variance / (variance + np.float32(evenness))
    even = cv2.blur(gain, (radius, radius)) * luma + cv2.blur(mean * (1 - gain), (radius, radius))
    ycc[..., 0] = as_uint8(luma + (even * np.float32(glow) - luma) * np.float32(0.6 + 0.4 * strength))
    return np.asarray(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)


def smoothing_kind(name: str, apply: Filter, *, spares_features: bool = False) -> Kind:
    """Return the kind that filters a face.

    Args:
        name: name of the kind.
        apply: filter of the face.
        spares_features: whether eyes and lips keep their detail, as in beauty filters.
    """

    def kind(
        image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
    ) -> PseudoFake:
        del partner
        points = dense_points(landmarks)
        strength = float(generator.random())
        filter_seed = int(generator.integers(2**32))
        sharpening = float(generator.uniform(0.1, 0.7)) if generator.random() < SHARPENED_SHARE else 0.0
        is_whole = bool(generator.random() < WHOLE_SHARE) and not spares_features
        region = draw_region(generator, REGION_SHARES)
        mask = draw_mask(region, points, image.shape, generator)
        if is_whole:
            region, mask = "whole", np.ones(image.shape[:2], dtype=np.float32)
        if spares_features:
            mask = _without_features(mask, points)
        source = apply(image, strength, np.random.default_rng(filter_seed))
        if sharpening:
            source = sharpened(source, sharpening, 1.2)
        parameters: dict[str, Parameter] = {"region": region, "strength": strength, "sharpening": sharpening}
        return PseudoFake(alpha_blend(source, image, mask), image, mask, name, parameters)

    return kind


def _without_features(mask: Mask, points: Points) -> Mask:
    features = plain_mask([points[list(region)] for region in (LEFT_EYE, RIGHT_EYE, LIPS)], mask.shape)
    width = max(1, round(face_side(points) * 0.02)) * 2 + 1
    soft = cv2.GaussianBlur(cv2.dilate(features, np.ones((width, width))), (width, width), 0)
    return finished_mask(mask * (1 - np.asarray(soft, dtype=np.float32)))


smooth_bilateral = smoothing_kind("smooth_bilateral", bilateral)
smooth_denoise = smoothing_kind("smooth_denoise", denoising)
smooth_resample = smoothing_kind("smooth_resample", resampling)
smooth_beauty = smoothing_kind("smooth_beauty", beauty, spares_features=True)
