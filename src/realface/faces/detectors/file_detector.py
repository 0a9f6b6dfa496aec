"""Share the code of face detectors whose network is a user's file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import FaceDetectorError
from realface.core.files import sha256_of
from realface.faces.detectors.face_detector import Face


def file_version(file: Path) -> str:
    """Return the part of a face detector's version that identifies its file: the first 16 digits of its SHA-256.

    Raises:
        FaceDetectorError: no such file. `MissingInputError` would count as a skipped image.
    """
    if not file.is_file():
        raise FaceDetectorError(
            f"the face detector's file {file} does not exist, or is a folder", hint="check the path"
        )
    return f"file {sha256_of(file)[:16]}"


class FileDetector(ABC):
    """A `FaceDetector` with an ONNX file, which it reads on first use. It searches one image after the other.

    Attributes:
        name: name of the face detector in a crop spec.
        sure_enough: the lowest score that counts.
        overlap: intersection over union with a face of higher score above which a candidate is the same face.
        longest_side: longer side to which larger images are reduced, in pixels.
        file: the ONNX file.
    """

    name: ClassVar[str]
    sure_enough: ClassVar[float]
    overlap: ClassVar[float]
    longest_side: ClassVar[int]

    def __init__(self, file: Path) -> None:
        self.file = file

    @cached_property
    def version(self) -> str:
        """File and settings, in the form of a crop spec."""
        settings = f"score from {self.sure_enough}, overlap to {self.overlap}, side to {self.longest_side}"
        return f"{file_version(self.file)}, {settings}"

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Find every face.

        Args:
            images: (H, W, 3) uint8 RGB each.

        Raises:
            FaceDetectorError: the file cannot be used.
        """
        return [self.detect_in(image) for image in images]

    @abstractmethod
    def detect_in(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of one image (H, W, 3) RGB, by falling confidence."""
