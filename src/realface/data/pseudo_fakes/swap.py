"""Face swap: another, similar face is aligned, recoloured and blended in.

Source: the pipeline of classic face-swap tools and of FaceForensics++ (arXiv 1901.08971): align by landmarks, adapt the
colours, blend. Alignment is a similarity, as autoencoder swaps do it, or dense, as FaceSwap's 3D model does. All
ranges are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realface.data.degradations.operator import as_uint8
from realface.data.degradations.resampling import ENLARGING, resized, shrunk
from realface.data.pseudo_fakes.alterations import SOFTER_SHARES, altered_detail
from realface.data.pseudo_fakes.blending import alpha_blend, poisson_blend, smallest_share, transfer_colour
from realface.data.pseudo_fakes.contract import (
    Image,
    Landmarks,
    Mask,
    Parameter,
    Partner,
    PseudoFake,
    require_partner,
    require_partner_landmarks,
)
from realface.data.pseudo_fakes.points import Points, dense_points, face_side, mirrored_points, yaw
from realface.data.pseudo_fakes.regions import REGIONS, draw_mask, draw_region, plain_mask
from realface.data.pseudo_fakes.warps import similarity, warp_affine, warp_dense

NAME = "swap"
DENSE_SHARE = 0.5
"""Share of dense alignments; all other alignments are similarities."""
POISSON_SHARE = 0.22
"""Share of Poisson blends; all other blends are alpha blends."""
RATIOS = (0.75, 1.0, 1.0, 1.0)
"""Strengths of alpha blends, each equally likely."""
GENERATOR_SHARE, GENERATOR_SIDES = 0.75, (64, 224)
"""Share of donors reduced to a generator's resolution, and the range of the face's size after that, in pixels."""
DETAIL_SHARE = 0.25
"""Share of donors whose detail is altered as well."""
COLOUR_STRENGTH = (0.6, 1.0)
"""Range of the strength of the colour transfer."""
LANDMARK_NOISE, MISPLACED_SHARE, MISPLACED_NOISE = 0.006, 0.3, 0.018
"""Standard deviation of the donor's misplacement as a share of the face; share of larger misplacements, and their size.

A misplaced face leaves doubled eyebrows and glasses, like many real swaps.
"""
SHADED_SHARE, SHADING = 0.4, (0.04, 0.18)
"""Share of donors with uneven light, and the standard deviation of the light's logarithm."""
REGION_SHARES = {
    "low_hull": 0.42,
    "inner": 0.26,
    "hull": 0.1,
    "oval": 0.05,
    "head": 0.03,
    "lower": 0.08,
    "ellipse": 0.06,
}
"""Mostly without the forehead: a donor's hair or hat there gives a swap away."""

_ALIGNED = (1, 4, 33, 133, 362, 263, 61, 291, 152, 168, 234, 454)  # steer a similarity: features, chin and sides


@dataclass(frozen=True, eq=False)
class AlignedDonor:
    """A donor's face in place of the target's.

    Attributes:
        image: (H, W, 3) RGB.
        valid: (H, W) in [0, 1], 0 where the donor's image has no pixels, or none that may be used.
        alignment: "dense" or "similarity".
    """

    image: Image
    valid: Mask
    alignment: str


def swap(
    image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
) -> PseudoFake:
    """Replace a face by the partner's; see `Kind`. The partner is another face with landmarks.

    A partner with a share is a re-synthesis: it is pasted only where a network has rendered it.
    """
    partner = require_partner(partner, NAME)
    points = dense_points(landmarks)
    donor = aligned_donor(partner, points, image.shape, generator, kind=NAME)
    strength = float(generator.uniform(*COLOUR_STRENGTH))
    source = transfer_colour(donor.image, image, _core(points, image.shape), strength)
    if generator.random() < SHADED_SHARE:
        source = _shaded(source, generator)
    altered = bool(generator.random() < DETAIL_SHARE)
    detail_generator = np.random.default_rng(int(generator.integers(2**32)))
    if altered:
        source, _ = altered_detail(source, detail_generator, SOFTER_SHARES)
    region = draw_region(generator, REGION_SHARES)
    mask = smallest_share(draw_mask(region, points, image.shape, generator), donor.valid)
    if region != "head":  # background next to a turned head must not be pasted
        mask = smallest_share(mask, _face(points, image.shape))
    is_poisson = bool(generator.random() < POISSON_SHARE)
    ratio = RATIOS[int(generator.integers(len(RATIOS)))]
    if is_poisson:
        fake, mask = poisson_blend(source, image, mask)
    else:
        mask = mask * np.float32(ratio)
        fake = alpha_blend(source, image, mask)
    parameters: dict[str, Parameter] = {
        "region": region,
        "alignment": donor.alignment,
        "blend": "poisson" if is_poisson else "alpha",
        "ratio": 1.0 if is_poisson else ratio,
        "donor": "crop" if partner.share is None else "re-synthesis",
    }
    return PseudoFake(fake, image, mask, NAME, parameters)


def aligned_donor(
    partner: Partner, points: Points, shape: tuple[int, ...], generator: np.random.Generator, *, kind: str
) -> AlignedDonor:
    """Bring a donor's face to the place of another one, mirrored if it looks the other way.

    Args:
        partner: the donor, with landmarks.
        points: (468, 2), where the face should be, in pixels of the result.
        shape: (height, width, ...) of the result.
        generator: source of everything random.
        kind: named in errors.
    """
    donor_points = dense_points(require_partner_landmarks(partner, kind))
    image, share = partner.image, partner.share
    if yaw(donor_points) * yaw(points) < 0:
        donor_points = mirrored_points(donor_points, image.shape[1])
        image = np.ascontiguousarray(image[:, ::-1])
        share = None if share is None else np.ascontiguousarray(share[:, ::-1])
    is_reduced = bool(generator.random() < GENERATOR_SHARE)
    generator_side = float(generator.uniform(*GENERATOR_SIDES))
    up = ENLARGING[int(generator.integers(len(ENLARGING)))]
    is_dense = bool(generator.random() < DENSE_SHARE)
    sigma = MISPLACED_NOISE if generator.random() < MISPLACED_SHARE else LANDMARK_NOISE
    noise = generator.normal(0, sigma, size=2) * face_side(points)
    goal = (points + noise).astype(np.float32)
    if is_dense:
        aligned, valid = warp_dense(image, donor_points, goal, shape, share=share)
    else:
        chosen = list(_ALIGNED)
        aligned, valid = warp_affine(image, similarity(donor_points[chosen], goal[chosen]), shape, share=share)
    if is_reduced and generator_side < face_side(points):
        height, width = shape[:2]
        aligned = resized(shrunk(aligned, generator_side / face_side(points), cv2.INTER_AREA), width, height, up)
    return AlignedDonor(aligned, valid, "dense" if is_dense else "similarity")


def _shaded(image: Image, generator: np.random.Generator) -> Image:
    """Return the image in an uneven light, as relighting from few values leaves it."""
    height, width = image.shape[:2]
    steps = generator.normal(0, generator.uniform(*SHADING), size=(4, 4)).astype(np.float32)
    light = np.exp(cv2.resize(steps, (width, height), interpolation=cv2.INTER_CUBIC))
    return as_uint8(image.astype(np.float32) * light[..., None])


def _face(points: Points, shape: tuple[int, ...]) -> Mask:
    """Return the face up to the middle of the forehead, grown a little, with a soft edge."""
    width = max(1, round(0.03 * face_side(points))) * 2 + 1
    oval = plain_mask(REGIONS["oval"](points, np.random.default_rng(0)), shape)
    grown = cv2.dilate(oval, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return np.asarray(cv2.GaussianBlur(grown, (width, width), 0), dtype=np.float32)


def _core(points: Points, shape: tuple[int, ...]) -> Mask:
    """Return the features, without forehead and background: skin, lips and eyes decide the colours."""
    return plain_mask(REGIONS["inner"](points, np.random.default_rng(0)), shape)
