"""Whole-face re-synthesis: a version of the crop that a network has rendered is blended over the face.

The network runs once, in a separate command; this kind only blends the stored image. Source: ours.
"""

from __future__ import annotations

import numpy as np

from realface.core.errors import PseudoFakeError
from realface.data.degradations.resampling import sharpened
from realface.data.pseudo_fakes.blending import alpha_blend, smallest_share, transfer_colour
from realface.data.pseudo_fakes.contract import Image, Landmarks, Parameter, Partner, PseudoFake, require_partner
from realface.data.pseudo_fakes.points import dense_points
from realface.data.pseudo_fakes.regions import draw_mask, draw_region

NAME = "resynthesis"
REGION_SHARES = {"oval": 0.3, "hull": 0.25, "head": 0.35, "inner": 0.05, "lower": 0.05}
WHOLE_SHARE = 0.25
"""Share of whole crops replaced, among stored images that cover the crop; the mask is then 1 everywhere."""
RATIOS = (0.5, 0.75, 1.0, 1.0, 1.0, 1.0)
SHARPENED_SHARE = 0.3


def resynthesis(
    image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
) -> PseudoFake:
    """Blend a stored re-synthesis over the face; see `Kind`. The partner is that image, in the crop's size.

    Raises:
        PseudoFakeError: the partner is missing or has another size.
    """
    partner = require_partner(partner, NAME)
    stored = partner.image
    if stored.shape != image.shape:
        raise PseudoFakeError(
            f"pseudo-fake {NAME} needs a stored image of the crop's shape {image.shape}, found {stored.shape}",
            hint="re-synthesise these crops",
        )
    points = dense_points(landmarks)
    colour = float(generator.random())
    sharpening = float(generator.uniform(0.1, 0.6)) if generator.random() < SHARPENED_SHARE else 0.0
    is_whole = bool(generator.random() < WHOLE_SHARE)
    region = draw_region(generator, REGION_SHARES)
    mask = draw_mask(region, points, image.shape, generator)
    ratio = RATIOS[int(generator.integers(len(RATIOS)))]
    if partner.share is not None:
        mask = smallest_share(mask, partner.share)
    elif is_whole:
        region, mask = "whole", np.ones(image.shape[:2], dtype=np.float32)
    source = transfer_colour(stored, image, mask, colour)
    if sharpening:
        source = sharpened(source, sharpening, 1.0)
    mask = mask * np.float32(ratio)
    parameters: dict[str, Parameter] = {"region": region, "ratio": ratio, "sharpening": sharpening}
    return PseudoFake(alpha_blend(source, image, mask), image, mask, NAME, parameters)
