"""RetinaFace from a user's ONNX file: the network of biubug6's release, which RECCE's authors used.

Source: Deng et al. 2020, "RetinaFace: Single-shot Multi-level Face Localisation in the Wild"; outputs, prior boxes and
thresholds of Pytorch_Retinaface's release.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realface.faces.detectors.candidates import Candidates, faces_among
from realface.faces.detectors.face_detector import Face
from realface.faces.detectors.file_detector import FileDetector
from realface.faces.detectors.onnx_network import OnnxNetwork, Output, fitted

STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))  # pixels: sides of the prior boxes, by stride
VARIANCES = (0.1, 0.2)  # of places and of sizes
MEAN = (123, 117, 104)  # RGB, subtracted

Array = NDArray[np.float32]


class RetinaFaceDetector(FileDetector):
    """RetinaFace behind the `FaceDetector` protocol.

    The network's input is BGR minus the mean. Its outputs, in any order and under any names, are (1, N, 4) places,
    (1, N, 2) scores and (1, N, 10) points, for N prior boxes. Scores may be probabilities or logits: rows of numbers in
    [0, 1] that sum to 1 are probabilities. For a network of a fixed input size, the image is placed in the upper left
    of the input; for a network of any size, the image's longer side is reduced to at most 640 pixels, and both sides
    are filled up to multiples of 32.

    Args:
        file: the ONNX file.
        device: device of the network, see `OnnxNetwork`.
        threads: number of CPU threads.
    """

    name = "retinaface"
    sure_enough = 0.6  # the release's threshold for displayed faces
    overlap = 0.4  # the release's
    longest_side = 640  # the release's side in training; larger images are reduced

    def __init__(self, file: Path, *, device: str = "cpu", threads: int = 1) -> None:
        super().__init__(file)
        self._network = OnnxNetwork(file, kind="RetinaFace", device=device, threads=threads)

    def detect_in(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of one image (H, W, 3) RGB, by falling confidence."""
        given = fitted(image, fill=MEAN, size=self._network.size, longest_side=self.longest_side)
        bgr = (given.picture.astype(np.float32) - np.array(MEAN, np.float32))[..., ::-1]
        outputs = self._network.run(np.ascontiguousarray(bgr.transpose(2, 0, 1)[None]))
        height, width = given.picture.shape[:2]
        candidates = decode(*self._recognised(outputs, height, width), priors(height, width))
        return faces_among(candidates, sure_enough=self.sure_enough, overlap=self.overlap, scale=given.scale)

    def _recognised(self, outputs: Sequence[Output], height: int, width: int) -> tuple[Array, Array, Array]:
        """Return places (N, 4), scores (N, 2) and points (N, 10), identified by their shapes."""
        number = len(priors(height, width))
        shapes = [(1, number, columns) for columns in (4, 2, 10)]
        by_shape = {value.shape: value for _, value in outputs}
        if len(outputs) != len(shapes) or set(by_shape) != set(shapes):
            expected = f"(1, {number}, 4), (1, {number}, 2) and (1, {number}, 10) for {width} x {height} pixels"
            raise self._network.misfit(expected, outputs)
        places, scores, points = (by_shape[shape][0].astype(np.float32) for shape in shapes)
        return places, scores, points


def priors(height: int, width: int) -> Array:
    """Return the boxes that the network starts from: (N, 3), center x, center y and side in pixels.

    By stride, then rows, columns and sizes.
    """
    levels = []
    for stride, sides in zip(STRIDES, SIZES, strict=True):
        y, x, side = np.meshgrid(
            (np.arange(math.ceil(height / stride)) + 0.5) * stride,
            (np.arange(math.ceil(width / stride)) + 0.5) * stride,
            sides,
            indexing="ij",
        )
        levels.append(np.stack([x, y, side], axis=-1).reshape(-1, 3))
    return np.concatenate(levels).astype(np.float32)


def decode(places: Array, scores: Array, points: Array, starts: Array) -> Candidates:
    """Decode the network's outputs.

    Args:
        places: (N, 4), offset of the center in tenths of the prior box's side, and five times the logarithm of the
            size's ratio to that side.
        scores: (N, 2), of no face and of a face: probabilities, or logits.
        points: (N, 10), offsets of five points, in the unit of the center's offset.
        starts: (N, 3), prior boxes.
    """
    center, side = starts[:, :2], starts[:, 2:]
    middle = center + places[:, :2] * VARIANCES[0] * side
    with np.errstate(over="ignore"):  # infinite boxes are removed later
        size = side * np.exp(places[:, 2:] * VARIANCES[1])
        boxes = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    landmarks = center[:, None] + points.reshape(-1, 5, 2) * VARIANCES[0] * side[:, None]
    return Candidates(boxes.astype(np.float32), face_probability(scores), landmarks.astype(np.float32))


def face_probability(scores: Array) -> Array:
    """Turn (N, 2) probabilities or logits of no face and a face into (N,) probabilities of a face.

    Logits of thousands of prior boxes are never all in [0, 1] with sum 1, so the values show whether they are logits.
    """
    is_probability = scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=1e-3)
    if is_probability:
        return scores[:, 1]
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and the probability 0
        return np.asarray(1 / (1 + np.exp(scores[:, 0] - scores[:, 1])), dtype=np.float32)
