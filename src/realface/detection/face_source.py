"""From a file to the faces in it, cut out as a model's crop spec says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, MediaError, MissingInputError
from realface.faces.cropper import crop_box, crop_face
from realface.faces.finder import Face, FaceFinder, as_landmarks
from realface.faces.finders import finder_for
from realface.media.images import read_image
from realface.media.videos import Frame, is_video_name, spread_frames

PIXELS_AT_ONCE = 64_000_000  # of decoded frames held together: bounds the memory whatever the video's size and length


@dataclass(frozen=True, eq=False)
class FaceSource:
    """Frames of files, the faces in them, and their crops.

    Attributes:
        spec: how faces are cut out.
        finder: the one of the spec; None when the files are face crops already.
        num_frames: looked at per video, evenly spread.
        batch_size: frames that are searched together.
    """

    spec: CropSpec
    finder: FaceFinder | None
    num_frames: int
    batch_size: int

    def frames(self, path: Path) -> Iterator[Frame]:
        """The frames that are looked at; a picture is one frame.

        Raises:
            MissingInputError: no such file.
            MediaError: it cannot be read.
        """
        try:
            if is_video_name(path):
                yield from spread_frames(path, self.num_frames)
            else:
                yield Frame(index=0, time_s=0.0, image=read_image(path))
        except MissingInputError:
            raise
        except OSError as error:
            raise MediaError(f"cannot read {path}: {error.strerror or error}", reason="unreadable") from error

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

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """The faces of each picture (H, W, 3), the surest first; of a face crop the whole of it."""
        if self.finder is not None:
            return self.finder.find(images)
        return [[_whole_picture(image)] for image in images]

    def crop(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
        """The part of a picture that the network is given; the whole picture when the files are face crops."""
        return image if self.finder is None else crop_face(image, box, self.spec)

    def crop_area(self, box: Box) -> Box:
        """Where in the picture that part lies, in whole pixels; it may reach beyond the picture."""
        return box if self.finder is None else crop_box(box, self.spec)


def chosen_spec(own: CropSpec, given: CropSpec | None, *, artifact: Path) -> CropSpec:
    """An artifact's own crop spec, or the one that was given for it because it does not know its own.

    Raises:
        CropSpecError: it knows another one.
    """
    if given is None:
        return own
    if not (own.is_external or given.cuts_like(own)):
        raise CropSpecError(
            f"{artifact} expects crops made with [{own.describe()}], not with [{given.describe()}]; leave --crop out"
        )
    return given


def chosen_finder(
    spec: CropSpec, *, artifact: Path, device: torch.device, given: FaceFinder | None = None
) -> FaceFinder:
    """The finder of an artifact's crop spec, or the one that was given in its place.

    Raises:
        CropSpecError: it is not known how to find faces for the artifact, or the finder is not the same.
    """
    if spec.is_external:
        raise CropSpecError(
            f"{artifact} was made from crops that came from elsewhere, so it is not known how to cut faces out for it; "
            "cut them out as its authors did and give --crops, or say with --crop SPEC how they did"
        )
    if given is None:
        return finder_for(spec, device=str(device))
    if (given.name, given.version) != (spec.finder, spec.finder_version):
        raise CropSpecError(
            f"{artifact} expects faces found by {spec.finder} [{spec.finder_version}], "
            f"not by {given.name} [{given.version}]; give that one, or none"
        )
    return given


def _whole_picture(image: NDArray[np.uint8]) -> Face:
    height, width = image.shape[:2]
    return Face(Box(0, 0, width, height), score=1.0, landmarks=as_landmarks(np.full((5, 2), np.nan)))
