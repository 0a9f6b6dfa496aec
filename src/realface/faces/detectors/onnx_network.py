"""Run a user's ONNX file as a network: prepare its input and return its outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.errors import FaceDetectorError
from realface.faces.detectors.file_detector import file_version

CELL = 32  # pixels: the coarsest stride of all these networks, whose grids fit when sides are multiples of CELL

Output = tuple[str, NDArray[np.float32]]
"""Name and values of one of a network's outputs."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Input image of a network: reduced if too large, in the upper left of a filled area.

    Attributes:
        picture: (h, w, 3) uint8.
        scale: (x, y), pixels of `picture` per pixel of the source.
    """

    picture: NDArray[np.uint8]
    scale: tuple[float, float]


def fitted(image: NDArray[np.uint8], *, fill: Sequence[int], size: tuple[int, int] | None, longest_side: int) -> Fitted:
    """Fit an image to a network; its aspect ratio is kept, and it is never enlarged.

    Args:
        image: (H, W, 3).
        fill: colour beyond the image, in the order of its channels.
        size: height and width of the network's input; None for a network of any size, whose input has the next
            multiples of 32.
        longest_side: longer side of the reduced image for a network of any size.
    """
    height, width = image.shape[:2]
    room = size or (longest_side, longest_side)
    shrink = min(1.0, room[0] / height, room[1] / width)
    inner = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    if inner != (height, width):
        image = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
    outer = size or (CELL * math.ceil(inner[0] / CELL), CELL * math.ceil(inner[1] / CELL))
    picture = np.empty((*outer, 3), np.uint8)
    picture[:] = fill
    picture[: inner[0], : inner[1]] = image
    return Fitted(picture, (inner[1] / width, inner[0] / height))


class OnnxNetwork:
    """A network of one input (1, 3, height, width) float32, run by onnxruntime; loaded on first use.

    Args:
        file: the network.
        kind: expected kind of network, for messages, such as `RetinaFace`.
        device: `cpu`, or `cuda...`, for which onnxruntime must be built; otherwise the CPU computes.
        threads: number of CPU threads.
    """

    def __init__(self, file: Path, *, kind: str, device: str, threads: int) -> None:
        self.file = file
        self.kind = kind
        self._device = device
        self._threads = threads

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of its input in pixels; None if it accepts any size."""
        height, width = self._input.shape[2:]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def run(self, image: NDArray[np.float32]) -> list[Output]:
        """Return all outputs for one input (1, 3, height, width).

        Raises:
            FaceDetectorError: onnxruntime or the file is missing, it is no ONNX network of one such input, or fails.
        """
        session = self._session
        names = [output.name for output in session.get_outputs()]
        try:
            values = session.run(names, {self._input.name: image})
        except _onnxruntime_errors() as error:
            raise FaceDetectorError(
                f"{self.file} fails on a picture of {image.shape[3]} x {image.shape[2]} pixels ({in_one_line(error)})",
                hint="export it again, with a fixed input size if it cannot take any",
            ) from error
        return list(zip(names, values, strict=True))

    def misfit(self, expected: str, outputs: Sequence[Output]) -> FaceDetectorError:
        """Return the error for unexpected outputs."""
        found = ", ".join(f"{name} {tuple(value.shape)}" for name, value in outputs)
        return FaceDetectorError(
            f"{self.file} does not answer as {self.kind} does: expected {expected}, found {found}",
            hint=f"give an ONNX export of {self.kind} with these outputs, or name the face detector that it is",
        )

    @property
    def _input(self) -> Any:
        return self._session.get_inputs()[0]

    @cached_property
    def _session(self) -> Any:
        try:
            import onnxruntime
        except ImportError as error:
            raise FaceDetectorError(
                f"the face detector {self.kind} needs onnxruntime", hint='install it: pip install "realface[onnx]"'
            ) from error
        file_version(self.file)  # raises an error for a missing file
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = self._threads
        options.log_severity_level = 3  # errors only: most exports cause warnings
        providers = ["CPUExecutionProvider"]
        if self._device.startswith("cuda") and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        try:
            session = onnxruntime.InferenceSession(str(self.file), options, providers=providers)
        except _onnxruntime_errors() as error:
            raise FaceDetectorError(
                f"{self.file} is not an ONNX network that can be loaded ({in_one_line(error)})",
                hint=f"give {self.kind} as an ONNX file",
            ) from error
        inputs = [(value.name, value.shape, value.type) for value in session.get_inputs()]
        if len(inputs) != 1 or not _takes_a_picture(*inputs[0][1:]):
            found = ", ".join(f"{name} {shape} {kind}" for name, shape, kind in inputs)
            raise FaceDetectorError(
                f"{self.file} does not take a picture as {self.kind} does: expected one input (1, 3, height, "
                f"width) tensor(float), found {found}",
                hint="export it so",
            )
        return session


def _takes_a_picture(shape: Sequence[int | str | None], kind: str) -> bool:
    if len(shape) != 4 or kind != "tensor(float)":
        return False
    batch, channels = shape[:2]
    return not (isinstance(batch, int) and batch != 1) and not (isinstance(channels, int) and channels != 3)


def _onnxruntime_errors() -> tuple[type[Exception], ...]:
    """Return all exception classes of onnxruntime, which have no parent in common."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError)


def in_one_line(error: Exception) -> str:
    """Return a library's error message in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]
