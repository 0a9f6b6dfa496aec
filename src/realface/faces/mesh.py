"""A dense mesh of 468 landmarks per face, computed by OpenCV without TensorFlow.

Source: MediaPipe Face Mesh (Kartynnik et al. 2019, arXiv 1907.06724), the release's `face_landmark.tflite`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.errors import FaceDetectorError
from realface.core.mesh_regions import FACE_OVAL, LEFT_EYE, NUM_POINTS, RIGHT_EYE

MESH_FILE = Path(str(resources.files("realface"))) / "faces" / "data" / "face_landmark.tflite"
MESH_SHA256 = "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"
MIN_PRESENCE = 0.5
"""Presence below which there is no face; MediaPipe's threshold."""

_SIDE = 192  # pixels of the network's input
_WINDOW = 1.5  # side of the input window / side of the face box; MediaPipe's
_CROP_SCALES = (0.7, 1.0)  # windows tried in a face crop: most of a loose crop is background
_OUTPUTS = ("conv2d_20", "conv2d_30")  # points and presence; the file's layer names


@dataclass(frozen=True, eq=False)
class MeshLandmarks:
    """The mesh of one face.

    Attributes:
        points: (468, 3) float32, x and y in image pixels and z, the depth in pixels relative to the head's centre,
            smaller = closer to the camera. Points may lie outside the image.
        presence: probability in [0, 1] that the window contains a face.
    """

    points: NDArray[np.float32]
    presence: float

    @property
    def has_face(self) -> bool:
        """True if the presence reaches the network's threshold."""
        return self.presence >= MIN_PRESENCE


@dataclass(frozen=True)
class _Window:
    """A rotated square of the image that becomes the network's input: centre and side in pixels, angle in radians."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def matrix(self) -> NDArray[np.float64]:
        """Affine map (2, 3) from pixels of the input to pixels of the image."""
        scale = self.side / _SIDE
        cos, sin = scale * math.cos(self.angle), scale * math.sin(self.angle)
        middle = (_SIDE - 1) / 2
        return np.array(
            [[cos, -sin, self.x - cos * middle + sin * middle], [sin, cos, self.y - sin * middle - cos * middle]]
        )


class FaceMesh:
    """The mesh network. Use `FaceMesh.load`.

    Args:
        network: the OpenCV network.
    """

    def __init__(self, network: Any) -> None:
        self._network = network

    @classmethod
    def load(cls, file: Path = MESH_FILE) -> FaceMesh:
        """Load the network that ships with the package.

        Raises:
            FaceDetectorError: the file is missing or has been changed.
        """
        content = file.read_bytes() if file.is_file() else b""
        if sha256(content).hexdigest() != MESH_SHA256:
            state = "has another SHA-256 than the shipped one" if content else "is missing"
            raise FaceDetectorError(
                f"{file} {state}", hint="install realface again, or run tools/fetch_face_mesh.py in a checkout"
            )
        # OpenCV 5's new engine returns only one of the two outputs
        engine = {"engine": cv2.dnn.ENGINE_CLASSIC} if hasattr(cv2.dnn, "ENGINE_CLASSIC") else {}
        return cls(cv2.dnn.readNetFromTFLite(str(file), **engine))

    def landmarks(self, image: NDArray[np.uint8], box: Box | None = None, *, passes: int = 2) -> MeshLandmarks:
        """Locate the 468 landmarks of one face.

        Args:
            image: (H, W, 3) RGB: a whole image with `box`, or a face crop without.
            box: face box in image pixels, from a face detector. None: the image is a crop of one face, with
                the face near the centre (margin 0.3 to 1).
            passes: runs of the network. Each run after the first one centres its window on the landmarks of the
                previous run, which corrects a loose box and a tilted head.

        Returns:
            Landmarks in image pixels. Check `has_face` before using them.
        """
        if box is not None:
            windows = [_Window(*box.center, side=_WINDOW * max(box.width, box.height, 1.0))]
        else:
            height, width = image.shape[:2]
            longest = max(height, width)
            windows = [_Window((width - 1) / 2, (height - 1) / 2, side=scale * longest) for scale in _CROP_SCALES]
        best = max((self._run(image, window) for window in windows), key=lambda mesh: mesh.presence)
        for _ in range(passes - 1):
            again = self._run(image, _window_around(best.points))
            if again.presence < min(best.presence, MIN_PRESENCE):
                break
            best = again
        return best

    def _run(self, image: NDArray[np.uint8], window: _Window) -> MeshLandmarks:
        matrix = window.matrix()
        shrink = window.side / _SIDE
        if shrink > 2:  # a plain warp would alias, so blur details that are too fine for the input
            image, matrix = _shrunk(image, matrix, 1 / shrink)
        patch = cv2.warpAffine(
            image, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
        )
        self._network.setInput(cv2.dnn.blobFromImage(patch, 1 / 255))
        points, presence = self._network.forward(list(_OUTPUTS))
        points = np.asarray(points, dtype=np.float64).reshape(NUM_POINTS, 3)
        to_image = window.matrix()
        located = np.column_stack([points[:, :2] @ to_image[:, :2].T + to_image[:, 2], points[:, 2] * shrink])
        return MeshLandmarks(located.astype(np.float32), presence=_sigmoid(float(np.ravel(presence)[0])))


def _window_around(points: NDArray[np.float32]) -> _Window:
    """Return the window that MediaPipe's tracking takes: upright by the eyes, 1.5 times the landmarks' extent."""
    left, right = (points[list(eye), :2].mean(axis=0) for eye in (LEFT_EYE, RIGHT_EYE))
    angle = math.atan2(right[1] - left[1], right[0] - left[0])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    upright = points[list(FACE_OVAL), :2].astype(np.float64) @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = turn @ ((low + high) / 2)
    return _Window(float(x), float(y), side=_WINDOW * max(1.0, float((high - low).max())), angle=angle)


def _shrunk(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], factor: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the image at a smaller scale, and the map from the network's input to it."""
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scale = np.array([size[0] / width, size[1] / height])
    shifted = matrix * scale[:, None]
    shifted[:, 2] += (scale - 1) / 2  # a resize keeps edges, not centres, in place
    return np.asarray(small, dtype=np.uint8), shifted


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else 1 - 1 / (1 + math.exp(value))
