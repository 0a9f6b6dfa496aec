"""The default face detector: MTCNN with the weights that facenet-pytorch's wheel carries.

Source: Zhang et al. 2016, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.faces.detectors.face_detector import Face, as_landmarks

SMALLEST_SIDE = 20  # pixels; the first network detects no smaller faces
SMALLEST_SHARE = 0.04  # of the image's longer side: the cost grows with the inverse square of this share
LONGEST_SIDE = 2048  # larger images are reduced, which bounds memory; a face of the smallest share still has 82 px
SURE_ENOUGH = 0.9  # the last network's answers below it are mostly hands, ears and patterns


class MtcnnDetector:
    """MTCNN behind the `FaceDetector` protocol.

    Faces smaller than 4 % of the image's longer side (at least 20 pixels) are not detected.
    """

    name = "mtcnn"

    def __init__(self, *, device: str | torch.device = "cpu") -> None:
        self._device = torch.device(device)

    @property
    def version(self) -> str:
        """Package and settings, in the form of a crop spec."""
        return f"facenet-pytorch {metadata.version('facenet-pytorch')}, faces from {SMALLEST_SHARE:.0%} of the side"

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Find every face; images of one size are processed in one batch.

        Args:
            images: (H, W, 3) uint8 RGB each.
        """
        answers: list[list[Face]] = [[] for _ in images]
        by_size: dict[tuple[int, ...], list[int]] = {}
        for position, image in enumerate(images):
            by_size.setdefault(image.shape, []).append(position)
        for positions in by_size.values():
            found = self._detect_in_equal([images[position] for position in positions])
            for position, faces in zip(positions, found, strict=True):
                answers[position] = faces
        return answers

    def _detect_in_equal(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        height, width = images[0].shape[:2]
        shrink = min(1.0, LONGEST_SIDE / max(height, width))
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            images = [cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8) for image in images]
        smallest = max(SMALLEST_SIDE, SMALLEST_SHARE * max(images[0].shape[:2]))
        if min(images[0].shape[:2]) < smallest:  # the pyramid would have no scale, and the package would fail
            return [[] for _ in images]
        self._networks.min_face_size = smallest
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the package builds arrays from ragged lists
            boxes, scores, landmarks = self._networks.detect(np.stack(images), landmarks=True)
        return [_faces_of(*found, scale=1 / shrink) for found in zip(boxes, scores, landmarks, strict=True)]

    @cached_property
    def _networks(self) -> Any:
        """The package's object; built on first use because it reads the weights from the disk."""
        from facenet_pytorch import MTCNN

        networks = MTCNN(keep_all=True, select_largest=False, device=self._device)
        return networks.to(memory_format=torch.channels_last)  # 1.4 times as fast on a CPU; boxes move by < 1e-4 px


def _faces_of(boxes: Any, scores: Any, landmarks: Any, *, scale: float) -> list[Face]:
    if boxes is None:
        return []
    faces = [
        Face(
            box=Box(*(float(value) * scale for value in box)),
            score=float(score),
            landmarks=as_landmarks(points) * scale,
        )
        for box, score, points in zip(boxes, scores, landmarks, strict=True)
        if score >= SURE_ENOUGH
    ]
    return sorted(faces, key=lambda face: -face.score)
