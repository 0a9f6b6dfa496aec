"""People: variants of a portrait with another face shape, skin, hair, clothes and light.

They look like different takes of two people, not like a population.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.face_points import (
    EYES,
    MOUTH,
    NOSE,
    OUTLINE,
    Points,
    face_height,
    mirrored_points,
)
from realface.demo.sample_study.portraits import Portrait
from realface.demo.sample_study.warping import bump_map, moved_points, warp
from realface.faces.portraits import CANVAS

_SHAPE_LIMIT = 5.0  # pixels that a part of the face may move; beyond it faces look drawn


@dataclass(frozen=True, eq=False)
class Person:
    """One variant, on the portraits' canvas.

    Attributes:
        portrait: name of the portrait that it was made from.
        image: (CANVAS, CANVAS, 3) uint8 RGB.
        matte: (CANVAS, CANVAS) float32 in [0, 1], 1 on the person.
        points: (26, 2), the dense points of the face.
    """

    portrait: str
    image: NDArray[np.uint8]
    matte: NDArray[np.float32]
    points: Points


def make_person(portrait: Portrait, generator: np.random.Generator) -> Person:
    """Draw a variant of a portrait."""
    image, matte, points = portrait.image, portrait.matte, portrait.points
    if generator.random() < 0.5:
        image, matte = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(matte[:, ::-1])
        points = mirrored_points(points, width=CANVAS)
    skin = _skin(image, matte, points)
    image = _recoloured(image, skin, float(points[OUTLINE][5, 1]), generator)
    image = _retextured(image, skin, generator)
    image = _relit(image, points, generator)
    shape = _face_shape(points, generator)
    return Person(
        portrait=portrait.name,
        image=warp(image, shape).astype(np.uint8),
        matte=np.clip(warp(matte, shape, interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float32),
        points=moved_points(points, shape),
    )


def _skin(image: NDArray[np.uint8], matte: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
    """Return (H, W) in [0, 1]: similarity of a pixel's colour to that of the cheeks, inside the person."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    cheeks = (points[EYES] + points[MOUTH][:2]) / 2
    patches = [lab[int(y) - 6 : int(y) + 7, int(x) - 6 : int(x) + 7].reshape(-1, 3) for x, y in cheeks]
    typical = np.median(np.concatenate(patches), axis=0)
    distance = ((lab - typical) / np.array([70.0, 14.0, 14.0])).astype(np.float32)
    likeness = np.exp(-(distance**2).sum(axis=-1)) * matte
    return np.asarray(cv2.GaussianBlur(likeness, (0, 0), 2.0), dtype=np.float32)


def _recoloured(
    image: NDArray[np.uint8], skin: NDArray[np.float32], chin: float, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Change the tone of the skin and the colours of hair and clothes."""
    tone = generator.uniform((-24, -3, -8), (10, 4, 6))
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    face = cv2.cvtColor(np.clip(lab + tone, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    below_chin = np.clip((np.arange(CANVAS, dtype=np.float32) - chin) / 12, 0, 1)[:, None]
    hair, clothes = generator.uniform(-12, 6), generator.uniform(-90, 90)  # hair of any colour looks like a mask
    hsv[..., 0] = (hsv[..., 0] + hair + (clothes - hair) * below_chin) % 180
    hsv[..., 1] *= generator.uniform(0.2, 0.9)
    hsv[..., 2] = 255 * (hsv[..., 2] / 255) ** generator.uniform(0.6, 1.35)
    rest = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    share = np.clip(skin * 1.6, 0, 1)[..., None]
    return np.asarray(face * share + rest * (1 - share), dtype=np.uint8)


def _retextured(
    image: NDArray[np.uint8], skin: NDArray[np.float32], generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Mottle the skin and, for half of the people, add freckles."""
    mottle = generator.standard_normal((CANVAS, CANVAS)).astype(np.float32)
    mottle = cv2.GaussianBlur(mottle, (0, 0), generator.uniform(0.8, 2.2)).astype(np.float32)
    change = mottle / mottle.std() * generator.uniform(1.0, 4.0)
    if generator.random() < 0.5:
        freckles = (generator.random((CANVAS, CANVAS)) < generator.uniform(0.002, 0.012)).astype(np.float32)
        freckles = cv2.GaussianBlur(freckles, (0, 0), 0.9).astype(np.float32)
        change = change - np.minimum(freckles / 0.2, 1) * generator.uniform(10, 28)
    tint = np.array([0.8, 1.0, 1.1], dtype=np.float32)  # freckles are brown: blue and green lose more than red
    changed: NDArray[np.float32] = image + (change * skin)[..., None] * tint
    return np.clip(changed, 0, 255).astype(np.uint8)


def _relit(image: NDArray[np.uint8], points: Points, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Change the direction, brightness and colour of the light."""
    angle = generator.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    center = points.mean(axis=0)
    along = ((columns - center[0]) * np.cos(angle) + (rows - center[1]) * np.sin(angle)) / face_height(points)
    side = 1 + generator.uniform(0.0, 0.28) * np.tanh(along)
    colour = generator.uniform(0.85, 1.12) * generator.uniform(0.94, 1.06, size=3)
    changed: NDArray[np.float64] = image * side[..., None] * colour
    return np.clip(changed, 0, 255).astype(np.uint8)


def _face_shape(points: Points, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return a map that widens or narrows cheeks, jaw, eyes, nose and mouth independently."""
    outline, eyes, nose, mouth = points[OUTLINE], points[EYES], points[NOSE], points[MOUTH]
    centers = np.stack([outline[1], outline[9], outline[3], outline[7], outline[5], *eyes, *nose[1:], *mouth[:2]])
    cheeks, jaw, eye, wing, corner = generator.uniform(-1, 1, size=5) * (1.0, 1.0, 0.6, 0.6, 0.7)
    chin, nose_length, mouth_height = generator.uniform(-1, 1, size=3)
    directions = [
        *[(cheeks, 0.0), (-cheeks, 0.0), (jaw, 0.0), (-jaw, 0.0), (0.0, chin)],
        *[(eye, 0.0), (-eye, 0.0), (wing, 0.6 * nose_length), (-wing, 0.6 * nose_length)],
        *[(corner, 0.5 * mouth_height), (-corner, 0.5 * mouth_height)],
    ]
    radii = np.array([26, 26, 24, 24, 22, 15, 15, 11, 11, 13, 13], dtype=np.float32)
    shifts = np.array(directions, dtype=np.float32) * _SHAPE_LIMIT
    return bump_map(centers, shifts, radii, height=CANVAS, width=CANVAS)
