"""What face finders have in common whose network the user brings as a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import FinderError
from realface.core.files import sha256_of
from realface.faces.finder import Face


def file_version(file: Path) -> str:
    """The part of a finder's version that names its file: the first 16 digits of its SHA-256.

    Raises:
        FinderError: there is no such file. `MissingInputError` would count as the loss of a picture.
    """
    if not file.is_file():
        raise FinderError(f"the face finder's file {file} does not exist, or is a folder", hint="check the path")
    return f"file {sha256_of(file)[:16]}"


class FileFinder(ABC):
    """A `FaceFinder` of a file, which it reads on first use. It looks at one picture after the other.

    Attributes:
        name: the word that stands for it in a crop spec.
        sure_enough: the lowest score that counts.
        overlap: intersection over union with a surer face above which a candidate is that face again.
        longest_side: to which larger pictures are shrunk, in pixels.
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
        """File and settings, as they stand in a crop spec."""
        settings = f"score from {self.sure_enough}, overlap to {self.overlap}, side to {self.longest_side}"
        return f"{file_version(self.file)}, {settings}"

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Find every face.

        Raises:
            FinderError: the file cannot be used.
        """
        return [self.find_in(image) for image in images]

    @abstractmethod
    def find_in(self, image: NDArray[np.uint8]) -> list[Face]:
        """The faces of one picture (H, W, 3) RGB, the surest first."""
