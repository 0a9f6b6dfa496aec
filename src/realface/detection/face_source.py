"""From a file to the faces in it, cut out as a model's crop spec says."""

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

PIXELS_AT_ONCE = 64_000_000  # of decoded frames held together: bounds the memory whatever the video's size and length


@dataclass(frozen=True, eq=False)
class FaceSource:
    """Frames of files, the faces in them, and their crops.

    Attributes:
        spec: how faces are cut out.
        face_detector: the one of the spec; None when the files are face crops already.
        num_frames: looked at per video, evenly spread.
        batch_size: frames that are searched together.
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
        """Yield the frames that are looked at, or those with the given numbers; an image is one frame.

        Raises:
            MediaError: they cannot be read.
        """
        with _readable(media.path):
            yield from media.frames_at(media.spread(self.num_frames) if indices is None else indices)

    def chunks(self, frames: Iterable[Frame]) -> Iterator[list[Frame]]:
        """Frames in groups of at most `batch_size`, smaller where frames are large."""
        chunk: list[Frame] = []
        for frame in frames:
            chunk.append(frame)
            if len(chunk) >= self.batch_size or len(chunk) * frame.image.size // 3 >= PIXELS_AT_ONCE:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """The faces of each picture (H, W, 3), the surest first; of a face crop the whole of it."""
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
        """Where each pixel of the picture lies in a map over a face's crop.

        Args:
            face: in the picture.
            shape: height and width of the map.
            image_shape: (height, width, ...) of the image before it is enlarged.
            scale: by which the picture is enlarged.

        Returns:
            (2, 3), from pixels of the enlarged picture to pixels of the map; centers are the whole numbers.
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
    """An artifact's own crop spec, or the one that was given for it because it does not know its own.

    Raises:
        CropSpecError: it knows another one.
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
    """The face detector of an artifact's crop spec, or the one that was given in its place.

    Raises:
        CropSpecError: it is not known how to find faces for the artifact, or the face detector is not the same.
        FaceDetectorError: the face detector's file does not exist.
    """
    if spec.is_unknown:
        raise CropSpecError(
            f"{artifact} was made from crops that came from elsewhere, so it is not known how to cut faces out for it",
            hint="cut them out as its authors did and give --crops, or say with --crop SPEC how they did",
        )
    if given is None:
        return face_detector_for(spec, device=str(device), threads=torch.get_num_threads())
    version = given.version  # a missing file is refused now, whatever the spec says
    if given.name != spec.face_detector or (spec.face_detector_version and version != spec.face_detector_version):
        raise CropSpecError(
            f"{artifact} expects faces found by {spec.face_detector} [{spec.face_detector_version}], "
            f"not by {given.name} [{version}]",
            hint="give that one",
        )
    return given


def _enlargement(x: float, y: float) -> NDArray[np.float64]:
    """(3, 3): where a picture's pixels lie when it is enlarged, which keeps its edges in their places."""
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _whole_picture(image: NDArray[np.uint8]) -> Face:
    height, width = image.shape[:2]
    return Face(Box(0, 0, width, height), score=1.0, landmarks=as_landmarks(np.full((5, 2), np.nan)))
