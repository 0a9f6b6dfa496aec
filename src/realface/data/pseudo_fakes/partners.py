"""Choosing a similar face as the partner of a swap."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.data.pseudo_fakes.contract import Image, Landmarks
from realface.data.pseudo_fakes.points import Points, dense_points, face_axes, five_of, mean_shape, mirrored_points, yaw
from realface.data.pseudo_fakes.regions import REGIONS, plain_mask
from realface.data.pseudo_fakes.warps import similarity, warp_affine

NUM_CANDIDATES = 300
"""Faces that are compared for one draw, so that a large pool costs no more than a small one."""
NUM_NEAREST = 6
"""Number of most similar candidates from which the partner is drawn."""
LOOSE_SHARE, NUM_LOOSE = 0.3, 30
"""Share of wider choices and their number of candidates: the donors of real swaps rarely match in light or beard."""
SAME_IDENTITY_SHARE = 0.2
"""Share of partners of the same identity, where another image of it is known."""

_POSE_WEIGHT = 1.5  # a difference of half an eye distance in yaw counts as much as a tone of 40 grey levels
_TONE_SCALE = 1 / 80
_ALIGNED, _THUMBNAIL = 48, 12  # pixels
_EYES_APART = 22.0  # pixels in the aligned face
_MIDDLE = np.array([23.5, 16.0], dtype=np.float32)  # between the eyes in the aligned face


def face_traits(image: Image, landmarks: Landmarks) -> NDArray[np.float32]:
    """Return a vector of pose, proportions, skin tone and brightness, with which faces are compared.

    Args:
        image: (H, W, 3) RGB.
        landmarks: (5, 2) or (468, 2 or 3) in pixels of `image`.

    Returns:
        (150,) float32; the distance of two vectors measures the difference of two faces. Faces that look to the right
        are mirrored first, because a swap mirrors such donors; so a mirrored face has equal traits.
    """
    points = dense_points(landmarks)
    if yaw(points) > 0:
        image, points = np.ascontiguousarray(image[:, ::-1]), mirrored_points(points, image.shape[1])
    _, across, down = face_axes(points)
    corners = five_of(points)[3:]
    distance = max(float(np.linalg.norm(across)), 1e-6)
    proportions = np.array([np.linalg.norm(down) / distance, np.linalg.norm(corners[1] - corners[0]) / distance])
    skin = (plain_mask(REGIONS["inner"](points, np.random.default_rng(0)), image.shape) > 0.5).astype(np.uint8)
    tone = np.array(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), mask=skin)[:3])
    tone[1:] *= 2  # hue shows more than brightness, which the colour transfer equals out
    pose = [_POSE_WEIGHT * abs(yaw(points))]
    return np.concatenate([pose, proportions / 2, tone * _TONE_SCALE, _appearance(image, points)]).astype(np.float32)


def _appearance(image: Image, points: Points) -> NDArray[np.float64]:
    """Return a small grey image of the aligned face, which shows glasses, beards and light; two are at most 2 apart."""
    target = (_MIDDLE + five_of(mean_shape()[:, :2].astype(np.float32)) * _EYES_APART).astype(np.float32)
    aligned, _ = warp_affine(image, similarity(five_of(points), target), (_ALIGNED, _ALIGNED))
    grey = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6))


class PartnerPool:
    """Faces among which partners are chosen.

    Args:
        traits: (N, F), a row of `face_traits` per face.
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
        rank = int(generator.integers(NUM_LOOSE if generator.random() < LOOSE_SHARE else NUM_NEAREST))
        candidates = np.unique(candidates[self._identities[candidates] != self._identities[face]])
        if not len(candidates):
            return None
        distance = ((self._traits[candidates] - self._traits[face]) ** 2).sum(axis=1)
        order = np.argsort(distance, kind="stable")
        return int(candidates[order[min(rank, len(order) - 1)]])
