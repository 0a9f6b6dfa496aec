"""The three forgery methods of the study, each a function of recorded footage.

All three change recorded frames, including their grain, as a forger would. Before encoding, a fake therefore equals its
target pixel for pixel outside the mask. A real video goes through the same blending with its own face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.blending import (
    Image,
    Mask,
    generated,
    mixed,
    poisson_blended,
    polygon_mask,
    transferred_colours,
)
from realface.demo.sample_study.face_points import BROWS, EYES, MOUTH, OUTLINE, inner_face
from realface.demo.sample_study.footage import Footage, Take, lit
from realface.demo.sample_study.motion import FRAME
from realface.demo.sample_study.self_blending import SelfBlendRanges, draw_self_blend, self_blend
from realface.demo.sample_study.warping import thin_plate_map, warp
from realface.faces.portraits import CANVAS

_TEXTURE = 0.8
"""Noise of a generated face relative to the camera's. With it, fakes are about as sharp as reals, in files as large."""


@dataclass(frozen=True, eq=False)
class Forged:
    """Frames of a video, with masks of the changed pixels.

    Attributes:
        frames: each (FRAME, FRAME, 3) uint8 RGB.
        masks: each (FRAME, FRAME) float32 in [0, 1].
    """

    frames: list[Image]
    masks: list[Mask]


Forger = Callable[[Footage, Take, np.random.Generator], Forged]
"""Forges recorded footage, the target, with the help of a take of another person, the source."""


def face_swap(target: Footage, source: Take, generator: np.random.Generator) -> Forged:
    """Put the source's inner face on the target: warped by the points, recoloured, Poisson-blended."""
    person = target.take.person
    fitted = thin_plate_map(person.points, source.person.points, height=CANVAS, width=CANVAS)
    area = polygon_mask(inner_face(person.points), softness=2.0, height=CANVAS, width=CANVAS)
    face = transferred_colours(warp(source.person.image, fitted).astype(np.uint8), person.image, area)
    texture = _texture(target, generator.uniform(1.7, 2.4), generator)
    frames, masks = [], []
    shown = zip(target.frames, target.fields, target.take.poses, target.points(), strict=True)
    for frame, field, pose, points in shown:
        made = generated(lit(warp(face, field), pose), texture)
        mask = polygon_mask(inner_face(points), softness=1.5, height=FRAME, width=FRAME)
        frames.append(poisson_blended(made, frame, mask))
        masks.append(mask)
    return Forged(frames, masks)


# the surroundings are the target's, as in the other two methods; strong enough to survive encoding
_BLENDS = SelfBlendRanges(
    source_chance=1.0,
    colour=(-12, 12),
    hue=(-8, 8),
    sharpening=(0.45, 1.0),
    shrinking=(1.6, 2.6),
    scale=(0.94, 1.06),
    softness=(0.03, 0.09),
    ratios=(1.0,),
)


def self_blended(target: Footage, source: Take, generator: np.random.Generator) -> Forged:
    """Blend the target's face with an altered copy of itself. The source is not used."""
    del source
    blend = draw_self_blend(generator, _BLENDS)
    made = [
        self_blend(frame, np.concatenate([points[OUTLINE], points[BROWS]]), blend)
        for frame, points in zip(target.frames, target.points(), strict=True)
    ]
    return Forged([frame for frame, _ in made], [mask for _, mask in made])


def reenactment(target: Footage, source: Take, generator: np.random.Generator) -> Forged:
    """Move the target's mouth and brows like the source's. These parts are redrawn, softer, and blended in."""
    person = target.take.person
    texture = _texture(target, generator.uniform(1.7, 2.4), generator)
    area = _moving_parts(target)
    frames, masks = [], []
    for frame, pose, driver in zip(target.frames, target.take.poses, source.poses, strict=True):
        field = target.head.frame_map(pose, expression=driver)
        made = generated(lit(warp(person.image, field), pose), texture)
        mask = np.asarray(warp(area, field, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
        frames.append(mixed(made, frame, mask))
        masks.append(mask)
    return Forged(frames, masks)


def _texture(target: Footage, shrinking: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return a generator's noise, about as strong as the camera's. It is the same in all frames."""
    side = round(FRAME / shrinking)
    noise = generator.standard_normal((side, side, 1), dtype=np.float32)
    return np.asarray(_TEXTURE * target.take.camera.grain * noise, dtype=np.float32)


def _moving_parts(footage: Footage) -> Mask:
    """Return soft ellipses over mouth and chin and over the eyes and brows, on the canvas."""
    points = footage.take.person.points
    area = np.zeros((CANVAS, CANVAS), dtype=np.float32)
    for parts, stretch in ((points[MOUTH], (1.35, 1.6)), (np.concatenate([points[EYES], points[BROWS]]), (1.12, 1.5))):
        center, half = (parts.max(axis=0) + parts.min(axis=0)) / 2, (parts.max(axis=0) - parts.min(axis=0)) / 2
        axes = np.round(half * stretch).astype(int)
        cv2.ellipse(area, np.round(center).astype(int).tolist(), axes.tolist(), 0, 0, 360, 1.0, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(area, (0, 0), 2.5), dtype=np.float32)


def untouched(target: Footage) -> Forged:
    """Return a real video with its own face blended into it, like the fakes. This changes pixels by rounding only."""
    frames = []
    for frame, points in zip(target.frames, target.points(), strict=True):
        mask = polygon_mask(inner_face(points), softness=1.5, height=FRAME, width=FRAME)
        frames.append(mixed(poisson_blended(frame, frame, mask), frame, mask))
    return Forged(frames, [])


FORGERS: dict[str, Forger] = {"FaceSwap": face_swap, "SelfBlend": self_blended, "Reenactment": reenactment}
"""By the name of the method's folder."""
