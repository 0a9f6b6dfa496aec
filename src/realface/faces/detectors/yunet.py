"""YuNet from a user's ONNX file, run and decoded by OpenCV.

Source: Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector"; OpenCV's FaceDetectorYN and its model zoo.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.errors import FaceDetectorError
from realface.faces.detectors.face_detector import Face, as_landmarks
from realface.faces.detectors.file_detector import FileDetector, file_version
from realface.faces.detectors.onnx_network import fitted, in_one_line

STRIDES = (8, 16, 32)
COLUMNS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}  # of the outputs, which are named `cls_8` and so on
MOST = 5000  # candidates before overlaps are removed; OpenCV's value


class YunetDetector(FileDetector):
    """YuNet behind the `FaceDetector` protocol.

    Larger images are reduced to a longer side of 480 pixels. It computes on the CPU, with OpenCV's threads.

    Args:
        file: the ONNX file, such as the file in OpenCV's model zoo.
    """

    name = "yunet"
    sure_enough = 0.9  # OpenCV's
    overlap = 0.3  # OpenCV's
    longest_side = 480  # for faces of 10 to 300 pixels, according to the zoo: 2 to 62 % of the side

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._fitting: set[tuple[int, int]] = set()

    def detect_in(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of one image (H, W, 3) RGB, by falling confidence."""
        given = fitted(image, fill=(0, 0, 0), size=None, longest_side=self.longest_side)
        height, width = given.picture.shape[:2]
        self._require_outputs(height, width)
        self._decoder.setInputSize((width, height))
        _, rows = self._decoder.detect(np.ascontiguousarray(given.picture[..., ::-1]))
        faces = [] if rows is None else [_face_of(row, given.scale) for row in rows if np.isfinite(row).all()]
        return sorted(faces, key=lambda face: -face.score)

    def _require_outputs(self, height: int, width: int) -> None:
        """Refuse a network that is not YuNet or not of that size: OpenCV would read beyond the end of its answers."""
        if (height, width) in self._fitting:
            return
        expected: dict[str, tuple[int, ...]] = {
            f"{name}_{stride}": (1, (height // stride) * (width // stride), columns)
            for name, columns in COLUMNS.items()
            for stride in STRIDES
        }
        found = self._outputs(height, width)
        if found != expected:
            raise FaceDetectorError(
                f"{self.file} does not answer as YuNet does: expected {_listed(expected)} for {width} x {height} "
                f"pixels, found {_listed(found)}",
                hint="give YuNet's ONNX file as OpenCV's model zoo has it",
            )
        self._fitting.add((height, width))

    def _outputs(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the network's outputs for a black image."""
        network = self._network
        names = network.getUnconnectedOutLayersNames()
        with _quiet_opencv():
            try:
                network.setInput(np.zeros((1, 3, height, width), np.float32))
                answers = network.forward(names)
            except cv2.error as error:
                raise FaceDetectorError(
                    f"{self.file} fails on a picture of {width} x {height} pixels ({in_one_line(error)})",
                    hint="give YuNet's ONNX file as OpenCV's model zoo has it",
                ) from error
        return {name: tuple(answer.shape) for name, answer in zip(names, answers, strict=True)}

    @cached_property
    def _network(self) -> Any:
        file_version(self.file)  # raises an error for a missing file
        with _quiet_opencv():
            try:
                return cv2.dnn.readNetFromONNX(str(self.file))
            except cv2.error as error:
                raise FaceDetectorError(
                    f"{self.file} is not an ONNX network that can be loaded ({in_one_line(error)})",
                    hint="give YuNet's ONNX file as OpenCV's model zoo has it",
                ) from error

    @cached_property
    def _decoder(self) -> Any:
        with _quiet_opencv():
            return cv2.FaceDetectorYN.create(str(self.file), "", (32, 32), self.sure_enough, self.overlap, MOST)


def _face_of(row: NDArray[np.float32], scale: tuple[float, float]) -> Face:
    """Return the face of a row: x, y, width and height, five points and the score, in pixels of the reduced image."""
    x0, y0, width, height = (float(value) for value in row[:4] / np.tile(scale, 2))
    landmarks = as_landmarks(row[4:14].reshape(5, 2) / scale)  # the person's right eye first: the viewer's left
    return Face(Box(x0, y0, x0 + width, y0 + height), score=float(row[14]), landmarks=landmarks)


def _listed(outputs: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in outputs.items())


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own lines off the terminal: it warns of a choice that its own decoder makes."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
