"""Detect the faces in a file and cut them out with a model's crop spec."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, MediaError, MissingInputError
from realface.faces.cropper import Matrix, as_stored, crop_face, crop_matrix
from realface.faces.detectors.face_detector import Face, FaceDetector, as_landmarks
from realface.faces.detectors.registry import face_detector_for
from realface.media.frames import Frame, MediaReader
from realface.media.opening import open_media

PIXELS_AT_ONCE = 64_000_000  # of decoded frames in memory: bounds the memory for every size and length of video


@dataclass(frozen=True, eq=False)
class FaceSource:
    """Frames of files, the faces in them, and their crops.

    Attributes:
        spec: settings for cutting faces out.
        face_detector: face detector of the spec; None if the files are face crops.
        num_frames: frames searched per video, evenly spaced.
        batch_size: number of frames that are searched together.
    """

    spec: CropSpec
    face_detector: FaceDetector | None
    num_frames: int
    batch_size: int

    def open(self, path: Path) -> MediaReader:
        """Open a file and measure it.

        Raises:
            MissingInputError: no such file.
            MediaError: it cannot be read.
        """
        with _readable(path):
            return open_media(path)

    def frames(self, media: MediaReader, indices: Collection[int] | None = None) -> Iterator[Frame]:
        """Yield the frames to search, or the frames with the given numbers; an image is one frame.

        Raises:
            MediaError: the frames cannot be read.
        """
        with _readable(media.path):
            yield from media.frames_at(media.spread(self.num_frames) if indices is None else indices)

    def chunks(self, frames: Iterable[Frame]) -> Iterator[list[Frame]]:
        """Yield frames in groups of at most `batch_size`, smaller where frames are large."""
        chunk: list[Frame] = []
        for frame in frames:
            chunk.append(frame)
            if len(chunk) >= self.batch_size or len(chunk) * frame.image.size // 3 >= PIXELS_AT_ONCE:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Return the faces of each image (H, W, 3) by falling confidence; for a face crop, the whole image."""
        if self.face_detector is not None:
            return self.face_detector.detect(images)
        return [[_whole_picture(image)] for image in images]

    def crop(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
        """Return the crop of a face for the network; an image that is a face crop is returned unchanged.

        Args:
            image: (H, W, 3) uint8 RGB.
            face: face in the image.

        Raises:
            CropSpecError: the crops are aligned by five landmarks, and the face has no usable landmarks.
        """
        return image if self.face_detector is None else as_stored(crop_face(image, face, self.spec), self.spec)

    def map_matrix(
        self, face: Face, shape: tuple[int, ...], *, image_shape: tuple[int, ...], scale: float = 1.0
    ) -> Matrix:
        """Return the matrix from the pixels of the image to the pixels of a map over a face's crop.

        Args:
            face: face in the image.
            shape: height and width of the map.
            image_shape: (height, width, ...) of the image before it is enlarged.
            scale: enlargement of the image.

        Returns:
            (2, 3), from pixels of the enlarged image to pixels of the map; integer coordinates are pixel centers.
        """
        if self.face_detector is None:
            matrix, width, height = np.eye(2, 3), face.box.width, face.box.height
        else:
            matrix, width, height = crop_matrix(face, self.spec, image_shape), self.spec.size, self.spec.size
        in_picture = np.vstack([matrix, (0, 0, 1)]) @ _enlargement(1 / scale, 1 / scale)
        in_map = _enlargement(shape[1] / width, shape[0] / height) @ in_picture
        return np.asarray(in_map[:2], dtype=np.float64)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the system's errors while reading a file into ours."""
    try:
        yield
    except MissingInputError:
        raise
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror or error}", reason="unreadable") from error


def chosen_spec(own: CropSpec, given: CropSpec | None, *, artifact: Path) -> CropSpec:
    """Return an artifact's own crop spec, or the given spec if the artifact has no crop settings.

    Raises:
        CropSpecError: the artifact has another spec.
    """
    if given is None:
        return own
    if not (own.is_unknown or given.cuts_like(own)):
        raise CropSpecError(
            f"{artifact} expects crops made with [{own.describe()}], not with [{given.describe()}]",
            hint="leave --crop out",
        )
    return given


def chosen_face_detector(
    spec: CropSpec, *, artifact: Path, device: torch.device, given: FaceDetector | None = None
) -> FaceDetector:
    """Return the face detector of an artifact's crop spec, or the given face detector.

    Raises:
        CropSpecError: the face detector of the artifact is unknown, or the given face detector differs.
        FaceDetectorError: the face detector's file does not exist.
    """
    if spec.is_unknown:
        raise CropSpecError(
            f"{artifact} was made from crops that came from elsewhere, so it is not known how to cut faces out for it",
            hint="cut them out as its authors did and give --crops, or say with --crop SPEC how they did",
        )
    if given is None:
        return face_detector_for(spec, device=str(device), threads=torch.get_num_threads())
    version = given.version  # raises an error for a missing file, for every spec
    if given.name != spec.face_detector or (spec.face_detector_version and version != spec.face_detector_version):
        raise CropSpecError(
            f"{artifact} expects faces found by {spec.face_detector} [{spec.face_detector_version}], "
            f"not by {given.name} [{version}]",
            hint="give that one",
        )
    return given


def _enlargement(x: float, y: float) -> NDArray[np.float64]:
    """Return the (3, 3) matrix that enlarges an image and keeps the edges of the image fixed."""
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _whole_picture(image: NDArray[np.uint8]) -> Face:
    height, width = image.shape[:2]
    return Face(Box(0, 0, width, height), score=1.0, landmarks=as_landmarks(np.full((5, 2), np.nan)))
