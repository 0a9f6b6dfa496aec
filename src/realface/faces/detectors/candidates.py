"""Reduce a network's proposals to the detected faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.faces.detectors.face_detector import Face, as_landmarks


@dataclass(frozen=True, eq=False)
class Candidates:
    """Proposals for one image, in pixels of the network's input.

    Attributes:
        boxes: (N, 4), x0, y0, x1, y1.
        scores: (N,), in [0, 1].
        points: (N, 5, 2), x and y in the order of `Face`; NaN if the network predicts no points.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    points: NDArray[np.float32]


def faces_among(
    candidates: Candidates, *, sure_enough: float, overlap: float, scale: tuple[float, float]
) -> list[Face]:
    """Return the candidates with the highest scores, after non-maximum suppression.

    Args:
        candidates: proposals of the network.
        sure_enough: the lowest score that counts.
        overlap: intersection over union with a face of higher score above which a candidate is the same face.
        scale: (x, y), pixels of the network's input per pixel of the source.

    Returns:
        Faces by falling score, in pixels of the source.
    """
    boxes, scores = candidates.boxes, candidates.scores
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    usable = np.flatnonzero((scores >= sure_enough) & np.isfinite(boxes).all(axis=1) & has_area)
    corners = boxes[usable].astype(np.float64)
    corners[:, 2:] -= corners[:, :2]  # OpenCV's are x, y, width and height
    kept = np.asarray(cv2.dnn.NMSBoxes(corners.tolist(), scores[usable].tolist(), 0.0, overlap), dtype=np.intp)
    return [
        Face(
            box=Box(*(float(value) for value in boxes[place] / np.tile(scale, 2))),
            score=float(scores[place]),
            landmarks=as_landmarks(candidates.points[place] / scale),
        )
        for place in usable[kept]
    ]
