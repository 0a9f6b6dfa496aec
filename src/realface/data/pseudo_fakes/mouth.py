"""Lip-sync: the mouth is opened or closed by a warp and rendered again at a generator's resolution.

Source: ours, modelled on lip-sync networks, which render the lower half of the face at 96 pixels (Wav2Lip, arXiv
2008.10010) and blend it into the frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from realface.core.mesh_regions import FACE_OVAL, INNER_LIPS, LEFT_EYE, LIPS, NOSE, RIGHT_EYE
from realface.data.degradations.resampling import ENLARGING, resized, sharpened, shrunk
from realface.data.pseudo_fakes.alterations import ColourRanges, altered_colour
from realface.data.pseudo_fakes.blending import alpha_blend
from realface.data.pseudo_fakes.contract import Image, Landmarks, Parameter, Partner, PseudoFake
from realface.data.pseudo_fakes.points import Points, dense_points, face_axes, face_side
from realface.data.pseudo_fakes.regions import MaskSettings, draw_mask, draw_region, plain_mask
from realface.data.pseudo_fakes.warps import warp_dense

NAME = "mouth"
REGION_SHARES = {"mouth": 0.35, "lower": 0.65}
"""The lips and their neighbourhood, or the lower half of the face."""
GENERATOR_SIDES = (56, 144)
"""Range of the face's size in pixels at which the mouth is rendered. Wav2Lip: 96."""
GAPS = (0.02, 0.17)
"""Range of the new opening of the inner lips, as a share of the distance from the eyes to the mouth."""
WIDTHS = (0.9, 1.1)
"""Factor of the width of the mouth."""
SHARPENED_SHARE = 0.4
COLOURS = ColourRanges(shift=5, brightness=5, contrast=0.06, hue=4, saturation=0.1, gamma=0.05)
MASK = MaskSettings(vertex=0.004, bend=0.012, softness=(0.03, 0.1), hard_share=0.05)

_UPPER = frozenset((191, 80, 81, 82, 13, 312, 311, 310, 415, 185, 40, 39, 37, 0, 267, 269, 270, 409))
_JAW_FOLLOWS = 0.7  # of the movement of the lower lip
_CHIN = (152, 148, 377, 176, 400)
_CONTROLS = (*FACE_OVAL[::2], *LIPS, *INNER_LIPS, *LEFT_EYE[::4], *RIGHT_EYE[::4], *NOSE[::2], 1, 4, 205, 425, 152)
_CAVITY, _TEETH = (68.0, 38.0, 36.0), (176.0, 162.0, 148.0)  # RGB inside a mouth, in a face of mean grey level _LIT
_LIT = 130.0
_FEWEST_TEETH = 0.15  # a thinner row is not visible
_OPENED = 0.35  # gap below this share of the new one means that the inside was not visible before


def mouth(
    image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
) -> PseudoFake:
    """Render another mouth movement; see `Kind`. The partner is not used."""
    del partner
    points = dense_points(landmarks)
    gap = float(generator.uniform(*GAPS))
    width = float(generator.uniform(*WIDTHS))
    side = float(generator.uniform(*GENERATOR_SIDES))
    up = ENLARGING[int(generator.integers(len(ENLARGING)))]
    sharpening = float(generator.uniform(0.2, 0.8)) if generator.random() < SHARPENED_SHARE else 0.0
    teeth = float(generator.uniform(0.1, 0.55))
    colour_seed = int(generator.integers(2**32))
    region = draw_region(generator, REGION_SHARES)
    moved = moved_mouth(points, gap=gap, width=width)
    source, _ = warp_dense(image, points, moved, image.shape, controls=_CONTROLS, stiffness=0.0005)
    source = _with_cavity(source, points, moved, teeth=teeth)
    source = altered_colour(source, np.random.default_rng(colour_seed), ranges=COLOURS)
    height, columns = image.shape[:2]
    source = resized(shrunk(source, min(1.0, side / face_side(points)), cv2.INTER_AREA), columns, height, up)
    if sharpening:
        source = sharpened(source, sharpening, 1.0)
    # the mask must contain the old mouth and the new one
    both = np.where(np.isin(np.arange(len(points)), LIPS)[:, None], (points + moved) / 2, points).astype(np.float32)
    mask = draw_mask(region, both, image.shape, generator, MASK)
    parameters: dict[str, Parameter] = {"region": region, "gap": gap, "width": width, "side": side}
    return PseudoFake(alpha_blend(source, image, mask), image, mask, NAME, parameters)


def moved_mouth(points: Points, *, gap: float, width: float) -> Points:
    """Return the mesh with the mouth opened or closed.

    Args:
        points: (468, 2).
        gap: new distance of the inner lips in their middle, as a share of the distance from the eyes to the mouth.
        width: factor of the mouth's width.
    """
    _, across, down = face_axes(points)
    unit = down / max(float(np.linalg.norm(down)), 1e-6)
    sideways = across / max(float(np.linalg.norm(across)), 1e-6)
    old = float((points[14] - points[13]) @ unit)
    step = gap * float(np.linalg.norm(down)) - old
    moved = points.copy()
    center = points[list(LIPS)].mean(axis=0)
    half = max(float(np.abs((points[list(LIPS)] - center) @ sideways).max()), 1e-6)
    for index in set(LIPS) | set(INNER_LIPS):
        place = float((points[index] - center) @ sideways)
        bow = max(0.0, 1 - (place / half) ** 2)  # the corners stay
        share = -0.25 if index in _UPPER else 0.75
        moved[index] += np.float32(share * step * bow) * unit + np.float32(place * (width - 1)) * sideways
    for index in _CHIN:
        moved[index] += np.float32(_JAW_FOLLOWS * 0.75 * step) * unit
    return moved


def _with_cavity(source: Image, points: Points, moved: Points, *, teeth: float) -> Image:
    """Paint the inside of a mouth that the warp opened: it shows stretched lips where teeth and tongue would be.

    Args:
        source: (H, W, 3) RGB, the warped image.
        points: (468, 2), the mesh before.
        moved: (468, 2), the mesh after.
        teeth: share of the opening that the upper teeth cover.
    """
    down = face_axes(points)[2]
    unit = down / max(float(np.linalg.norm(down)), 1e-6)
    old, new = (float((mesh[14] - mesh[13]) @ unit) for mesh in (points, moved))
    if new <= 1 or old > _OPENED * new:
        return source
    inside = plain_mask([moved[list(INNER_LIPS)]], source.shape)
    inside = np.asarray(cv2.GaussianBlur(inside, (3, 3), 0), dtype=np.float32)
    light = float(source[plain_mask([points[list(FACE_OVAL)]], source.shape) > 0].mean()) / _LIT
    cavity = np.empty_like(source)
    cavity[:] = np.clip(np.multiply(_CAVITY, light), 0, 255)
    if teeth > _FEWEST_TEETH:
        upper = moved[list(INNER_LIPS)].copy()
        below = [index not in _UPPER for index in INNER_LIPS]
        upper[below] -= np.float32((1 - teeth) * new) * unit
        row = np.asarray(cv2.GaussianBlur(plain_mask([upper], source.shape), (3, 3), 0), dtype=np.float32)
        ivory = np.empty_like(source)
        ivory[:] = np.clip(np.multiply(_TEETH, light), 0, 255)
        cavity = alpha_blend(ivory, cavity, row)
    return alpha_blend(cavity, source, inside * np.float32(0.9))
