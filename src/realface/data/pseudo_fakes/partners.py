"""Choosing a similar face as the partner of a swap."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.data.pseudo_fakes.contract import Image, Landmarks
from realface.data.pseudo_fakes.points import dense_points, face_axes, five_of, yaw
from realface.data.pseudo_fakes.regions import REGIONS, plain_mask

NUM_CANDIDATES = 300
"""Faces that are compared for one draw, so that a large pool costs no more than a small one."""
NUM_NEAREST = 6
"""Of the candidates, one of so many most similar ones becomes the partner."""
SAME_IDENTITY_SHARE = 0.2
"""Share of partners of the same identity, where another image of it is known."""

_POSE_WEIGHT = 1.5  # a difference of half an eye distance in yaw counts as much as a tone of 40 grey levels
_TONE_SCALE = 1 / 80


def face_traits(image: Image, landmarks: Landmarks) -> NDArray[np.float32]:
    """Return what makes two faces similar: pose, proportions and skin tone.

    Args:
        image: (H, W, 3) RGB.
        landmarks: (5, 2) or (468, 2 or 3) in pixels of `image`.

    Returns:
        (6,) float32; the distance of two vectors says how different two faces are. A mirrored face has equal traits.
    """
    points = dense_points(landmarks)
    _, across, down = face_axes(points)
    corners = five_of(points)[3:]
    distance = max(float(np.linalg.norm(across)), 1e-6)
    proportions = np.array([np.linalg.norm(down) / distance, np.linalg.norm(corners[1] - corners[0]) / distance])
    skin = (plain_mask(REGIONS["inner"](points, np.random.default_rng(0)), image.shape) > 0.5).astype(np.uint8)
    tone = np.array(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), mask=skin)[:3])
    tone[1:] *= 2  # hue shows more than brightness, which the colour transfer equals out
    return np.concatenate([[_POSE_WEIGHT * abs(yaw(points))], proportions / 2, tone * _TONE_SCALE]).astype(np.float32)


class PartnerPool:
    """Faces among which partners are chosen.

    Args:
        traits: (N, 6), a row of `face_traits` per face.
        identities: (N,), who each face is.
    """

    def __init__(self, traits: NDArray[np.float32], identities: Sequence[str]) -> None:
        assert len(traits) == len(identities)
        self._traits = traits
        self._identities = np.unique(np.asarray(identities, dtype=str), return_inverse=True)[1]

    def choose(self, face: int, generator: np.random.Generator) -> int | None:
        """Return the index of a similar face, or None if no other identity is among the candidates.

        Sometimes it is another image of the same identity: the finest swap that there is.

        Args:
            face: index of the face that needs a partner.
            generator: source of everything random.
        """
        total = len(self._traits)
        others = np.flatnonzero(self._identities == self._identities[face])
        others = others[others != face]
        wants_same, pick = bool(generator.random() < SAME_IDENTITY_SHARE), float(generator.random())
        if wants_same and len(others):
            return int(others[int(pick * len(others))])
        candidates = generator.integers(total, size=NUM_CANDIDATES) if total > NUM_CANDIDATES else np.arange(total)
        rank = int(generator.integers(NUM_NEAREST))
        candidates = np.unique(candidates[self._identities[candidates] != self._identities[face]])
        if not len(candidates):
            return None
        distance = ((self._traits[candidates] - self._traits[face]) ** 2).sum(axis=1)
        order = np.argsort(distance, kind="stable")
        return int(candidates[order[min(rank, len(order) - 1)]])
