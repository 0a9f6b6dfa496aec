"""SCRFD from a user's ONNX file, as InsightFace exports it.

Source: Guo et al. 2022, "Sample and Computation Redistribution for Efficient Face Detection"; outputs, anchors and
thresholds of InsightFace's release.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import FaceDetectorError
from realface.faces.detectors.candidates import Candidates, faces_among
from realface.faces.detectors.face_detector import Face
from realface.faces.detectors.file_detector import FileDetector
from realface.faces.detectors.onnx_network import OnnxNetwork, Output, fitted

STRIDES = (8, 16, 32)
NUM_ANCHORS = 2  # of a cell, both at its upper left corner
MEAN, DEVIATION = 127.5, 128.0
BLACK = (0, 0, 0)  # fill colour of the release

Array = NDArray[np.float32]


class ScrfdDetector(FileDetector):
    """SCRFD behind the `FaceDetector` protocol.

    The network's input is RGB, minus 127.5 and divided by 128. Its outputs, for each stride 8, 16 and 32, are scores,
    distances and possibly points, in any order and under any names, as (N, 1), (N, 4) and (N, 10), or with a leading
    axis of 1. Without points landmarks are NaN: such a face detector only supports alignment none. Images are fitted
    like RetinaFace's.

    Args:
        file: the ONNX file.
        device: device of the network, see `OnnxNetwork`.
        threads: number of CPU threads.
    """

    name = "scrfd"
    sure_enough = 0.5  # the release's
    overlap = 0.4  # the release's
    longest_side = 640  # the release's input

    def __init__(self, file: Path, *, device: str = "cpu", threads: int = 1) -> None:
        super().__init__(file)
        self._network = OnnxNetwork(file, kind="SCRFD", device=device, threads=threads)

    def detect_in(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of one image (H, W, 3) RGB, by falling confidence."""
        given = fitted(image, fill=BLACK, size=self._network.size, longest_side=self.longest_side)
        rgb = (given.picture.astype(np.float32) - np.float32(MEAN)) / np.float32(DEVIATION)
        outputs = self._network.run(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None]))
        candidates = self._candidates(outputs, *given.picture.shape[:2])
        return faces_among(candidates, sure_enough=self.sure_enough, overlap=self.overlap, scale=given.scale)

    def _candidates(self, outputs: Sequence[Output], height: int, width: int) -> Candidates:
        """Return the decoded outputs, identified by their shapes."""
        by_shape = {value.shape[-2:]: value.reshape(value.shape[-2:]) for _, value in outputs if _is_table(value)}
        counts = {stride: NUM_ANCHORS * math.ceil(height / stride) * math.ceil(width / stride) for stride in STRIDES}
        columns = (1, 4, 10) if len(outputs) == 3 * len(STRIDES) else (1, 4)
        expected = [(count, number) for number in columns for count in counts.values()]
        if len(outputs) != len(expected) or set(by_shape) != set(expected):
            listed = ", ".join(map(str, expected))
            points = "" if 10 in columns else ", with or without three of (N, 10)"
            raise self._network.misfit(f"{listed} for {width} x {height} pixels{points}", outputs)
        scores = np.concatenate([by_shape[count, 1] for count in counts.values()])
        if not ((scores >= 0) & (scores <= 1)).all():
            raise FaceDetectorError(
                f"{self.file} gives scores from {scores.min():.3g} to {scores.max():.3g} but SCRFD's lie in [0, 1]",
                hint="export it with its sigmoid",
            )
        levels = [
            decode(
                by_shape[count, 1],
                by_shape[count, 4],
                by_shape.get((count, 10), np.full((count, 10), np.nan, np.float32)),
                stride=stride,
                num_columns=math.ceil(width / stride),
            )
            for stride, count in counts.items()
        ]
        return Candidates(
            np.concatenate([level.boxes for level in levels]),
            np.concatenate([level.scores for level in levels]),
            np.concatenate([level.points for level in levels]),
        )


def decode(scores: Array, distances: Array, points: Array, *, stride: int, num_columns: int) -> Candidates:
    """Decode the network's outputs of one stride.

    Args:
        scores: (N, 1), probabilities; all arrays are ordered by rows, columns and anchors.
        distances: (N, 4), of the box's left, upper, right and lower side from the anchor, in strides.
        points: (N, 10), offsets of five points from the anchor, in strides.
        stride: pixels from one cell to the next.
        num_columns: number of cells per row.
    """
    cell = np.arange(len(scores)) // NUM_ANCHORS
    anchor = np.stack([cell % num_columns, cell // num_columns], axis=1) * np.float32(stride)
    reach = distances * np.float32(stride)
    boxes = np.concatenate([anchor - reach[:, :2], anchor + reach[:, 2:]], axis=1)
    landmarks = anchor[:, None] + points.reshape(-1, 5, 2) * np.float32(stride)
    return Candidates(boxes.astype(np.float32), scores[:, 0].astype(np.float32), landmarks.astype(np.float32))


def _is_table(value: Array) -> bool:
    return value.ndim == 2 or (value.ndim == 3 and value.shape[0] == 1)
