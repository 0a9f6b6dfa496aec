"""Video blends: one drawn blend for all frames of a clip, with a slightly different warp in each frame.

Source: facts from arXiv 2408.17065 (VB) and 2501.01184 (FakeSTormer): a blend that is drawn once, and a warp of the
blended area that changes a little from frame to frame. The base is `self_blend`; the ranges are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from realface.data.pseudo_fakes.blending import alpha_blend
from realface.data.pseudo_fakes.contract import Image, Landmarks, Partner, PseudoFake
from realface.data.pseudo_fakes.points import dense_points, face_side
from realface.data.pseudo_fakes.regions import draw_mask, draw_region, finished_mask
from realface.data.pseudo_fakes.self_blend import RATIOS, REGION_SHARES, altered_copies, misplaced
from realface.data.pseudo_fakes.warps import elastic_map

NAME = "video_blend"
JITTER = (0.002, 0.008)
"""Range of the standard deviation of the shifts between frames, as a share of the face."""
SMOOTHNESS = 0.6
"""Share of a frame's warp that is kept from the frame before: artefacts flicker, but not as white noise."""


def video_blend(
    image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
) -> PseudoFake:
    """Make one frame of a video blend; see `Kind`. The partner is not used."""
    del partner
    return blend_clip([image], [landmarks], generator)[0]


def blend_clip(
    frames: Sequence[Image], landmarks: Sequence[Landmarks], generator: np.random.Generator
) -> list[PseudoFake]:
    """Blend every frame of a clip with itself.

    Args:
        frames: each (H, W, 3) RGB, crops of one face.
        landmarks: landmarks of each frame, (5, 2) or (468, 2 or 3), in pixels of the frame.
        generator: source of everything random.

    Returns:
        One pseudo-fake per frame: equal alteration, region and ratio, and a warp that drifts.
    """
    blend_seed, place_seed, mask_seed = (int(seed) for seed in generator.integers(2**32, size=3))
    region = draw_region(generator, REGION_SHARES)
    ratio = RATIOS[int(generator.integers(len(RATIOS)))]
    jitter = float(generator.uniform(*JITTER))
    drift = np.zeros((6, 6, 2))
    fakes = []
    for image, frame_landmarks in zip(frames, landmarks, strict=True):
        drift = SMOOTHNESS * drift + (1 - SMOOTHNESS**2) ** 0.5 * generator.normal(0, 1, size=drift.shape)
        points = dense_points(frame_landmarks)
        source, target, parameters = altered_copies(image, np.random.default_rng(blend_seed))
        source = misplaced(source, points, np.random.default_rng(place_seed))
        mask = draw_mask(region, points, image.shape, np.random.default_rng(mask_seed))
        columns, rows = elastic_map(image.shape, jitter * face_side(points), drift)
        source = np.asarray(cv2.remap(source, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))
        mask = finished_mask(cv2.remap(mask, columns, rows, cv2.INTER_LINEAR)) * np.float32(ratio)
        parameters |= {"region": region, "ratio": ratio, "jitter": jitter}
        fakes.append(PseudoFake(alpha_blend(source, target, mask), target, mask, NAME, parameters))
    return fakes
