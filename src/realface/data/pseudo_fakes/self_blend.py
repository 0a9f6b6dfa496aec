"""Self-blending: two altered copies of one face, blended inside a landmark mask.

Source: Shiohara and Yamasaki, CVPR 2022, "Detecting Deepfakes with Self-Blended Images" (arXiv 2204.08376), sections
3.1 to 3.3. Written from the paper. Three things differ. Where the surroundings are altered, the altered image is also
the real one of the pair. The source is made softer more often than sharper, as fakes are. The pasted copy is warped
elastically.
"""

from __future__ import annotations

import numpy as np

from realface.data.pseudo_fakes.alterations import SHARPER_SHARES, SOFTER_SHARES, altered_colour, altered_detail
from realface.data.pseudo_fakes.blending import alpha_blend
from realface.data.pseudo_fakes.contract import Image, Landmarks, Parameter, Partner, PseudoFake
from realface.data.pseudo_fakes.points import Points, dense_points, face_side
from realface.data.pseudo_fakes.regions import draw_mask, draw_region
from realface.data.pseudo_fakes.warps import draw_shifts, elastic_map, remapped, warp_affine

NAME = "self_blend"
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""Strengths of the blend, each equally likely. Source: arXiv 2204.08376, section 3.3."""
SOURCE_SHARE, TARGET_SHARE = 0.55, 0.25
"""Shares of samples that alter only the pasted copy, and only the surroundings; else both. The paper: 0.5 and 0.5."""
SCALE = (0.95, 1 / 0.95)
"""Factor of the pasted copy, width and height apart. Source: the paper's "resize"; the range is ours."""
SHIFT = (0.03, 0.015)
"""Largest shift of the pasted copy in x and y, as a share of the face. Source: the paper's "translate"; ours."""
TURN = 2.0
"""Largest turn of the pasted copy, in degrees; ours."""
ELASTIC_SHARE, ELASTIC = 0.5, (0.003, 0.012)
"""Share of samples with a bent copy, and the standard deviation of the shifts as a share of the face; ours."""
REGION_SHARES = {
    "hull": 0.38,
    "oval": 0.14,
    "head": 0.08,
    "inner": 0.14,
    "lower": 0.12,
    "ellipse": 0.06,
    "half": 0.04,
    "mouth": 0.02,
    "eyes": 0.02,
}
"""Region of the mask. The paper uses landmark hulls; the smaller regions are ours."""


def self_blend(
    image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
) -> PseudoFake:
    """Blend a face with an altered copy of itself; see `Kind`. The partner is not used."""
    del partner
    points = dense_points(landmarks)
    source, target, parameters = altered_copies(image, generator)
    source = misplaced(source, points, generator)
    region = draw_region(generator, REGION_SHARES)
    mask = draw_mask(region, points, image.shape, generator)
    ratio = RATIOS[int(generator.integers(len(RATIOS)))]
    mask = mask * np.float32(ratio)
    parameters |= {"region": region, "ratio": ratio}
    return PseudoFake(alpha_blend(source, target, mask), target, mask, NAME, parameters)


def altered_copies(image: Image, generator: np.random.Generator) -> tuple[Image, Image, dict[str, Parameter]]:
    """Return the copy to paste, the copy that surrounds it, which is the pair's real image, and the random choices.

    Args:
        image: (H, W, 3) uint8 RGB.
        generator: source of all randomness.
    """
    side = float(generator.random())
    altered = "source" if side < SOURCE_SHARE else "target" if side < SOURCE_SHARE + TARGET_SHARE else "both"
    colour_seed, detail_seed = (int(seed) for seed in generator.integers(2**32, size=2))
    source = target = image
    detail = "none"
    if altered == "target":
        target = altered_colour(image, np.random.default_rng(colour_seed))
        target, detail = altered_detail(target, np.random.default_rng(detail_seed), SHARPER_SHARES)
    else:
        # each changes one copy in the case of "both", so that the copies differ in colour and in detail
        changed = altered_colour(image, np.random.default_rng(colour_seed))
        source, target = (changed, image) if altered == "source" else (image, changed)
        source, detail = altered_detail(source, np.random.default_rng(detail_seed), SOFTER_SHARES)
    return source, target, {"altered": altered, "detail": detail}


def misplaced(source: Image, points: Points, generator: np.random.Generator, *, strength: float = 1.0) -> Image:
    """Scale, turn, shift and sometimes bend the copy that is pasted, as an inexact generator would place it.

    Args:
        source: (H, W, 3) RGB.
        points: (468, 2) in pixels of `source`.
        generator: source of everything random.
        strength: factor of every range.
    """
    side, center = face_side(points), points.mean(axis=0).astype(np.float64)
    scale = np.exp(np.log(generator.uniform(*SCALE, size=2)) * strength)
    angle = np.deg2rad(generator.uniform(-TURN, TURN)) * strength
    shift = generator.uniform(-1, 1, size=2) * SHIFT * side * strength
    is_bent = bool(generator.random() < ELASTIC_SHARE)
    sigma = float(generator.uniform(*ELASTIC)) * side * strength
    columns, rows = elastic_map(source.shape, sigma, draw_shifts(generator))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    matrix = np.column_stack([turn, center - turn @ center + shift])
    if not is_bent:
        return warp_affine(source, matrix, source.shape)[0]
    return remapped(source, columns, rows, matrix)
