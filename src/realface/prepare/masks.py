"""Cut the mask of a fake video or image at the boxes of its faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import MediaError
from realface.faces.cropper import crop_face
from realface.media.frames import MediaReader
from realface.media.masks import forged_pixels
from realface.media.opening import open_media
from realface.prepare.record import FacesByFrame


@dataclass(frozen=True, eq=False)
class MaskCut:
    """Mask of one face in one frame.

    Attributes:
        crop: (size, size) uint8, 255 for fake pixels of the crop and 0 elsewhere.
        overlap: intersection over union of the face's box and the frame's fake pixels, in [0, 1].
        share: share of the box that is fake, or share of the fake pixels inside the box, the larger value, in [0, 1].
    """

    crop: NDArray[np.uint8]
    overlap: float
    share: float


def cut_masks(
    mask: Path,
    source: MediaReader,
    faces: FacesByFrame,
    spec: CropSpec,
    *,
    sizes: Mapping[int, tuple[int, int]] | None = None,
    threads: int = 0,
) -> dict[int, list[MaskCut]]:
    """Cut the mask's crop of every face, out of the face's own frame.

    A mask must match its source frame by frame and pixel by pixel. Otherwise the whole mask is invalid, because the
    frame of each crop would be a guess.

    Args:
        mask: an image or video, bright in the changed regions of the source.
        source: source of the mask, open.
        faces: faces by frame number; may include frames without a face.
        spec: crop settings.
        sizes: (height, width) of the source's frames in pixels, by number. Default: the size of the first frame.
        threads: number of threads that decode the mask; 0 uses all cores.

    Returns:
        A cut for each face, in order, by frame number.

    Raises:
        MissingInputError: no such mask.
        MediaError: the mask cannot be read, or is of "other length" or "other size" than its source.
    """
    media = open_media(mask, threads=threads)
    _require_same_size_and_length(media, source)
    wanted = {frame for frame, here in faces.items() if here}
    cuts: dict[int, list[MaskCut]] = {}
    for frame in media.frames_at(wanted):
        if sizes is not None and frame.size != sizes[frame.index]:
            raise _other_size(media.path, frame.size, source.path, sizes[frame.index], where=f" in frame {frame.index}")
        forged = forged_pixels(frame.image)
        crops = [forged_pixels(crop_face(frame.image, one.face, spec)) for one in faces[frame.index]]
        cuts[frame.index] = [
            MaskCut(crop.astype(np.uint8) * 255, *_overlap_and_share(one.face.box, forged))
            for crop, one in zip(crops, faces[frame.index], strict=True)
        ]
    if lost := wanted - set(cuts):
        raise MediaError(
            f"{mask}: frame {min(lost)} cannot be decoded", reason="damaged", hint="copy or download the mask again"
        )
    return cuts


def _overlap_and_share(box: Box, forged: NDArray[np.bool_]) -> tuple[float, float]:
    """Return `MaskCut.overlap` and `MaskCut.share`; both 0 if no pixel is fake."""
    height, width = forged.shape
    x0, y0, x1, y1 = (round(value) for value in box.intersection(Box(0, 0, width, height)))
    shared, marked = float(forged[y0 : max(y0, y1), x0 : max(x0, x1)].sum()), float(forged.sum())
    if not shared:
        return 0.0, 0.0
    return shared / (box.area + marked - shared), max(shared / box.area, shared / marked)


def _require_same_size_and_length(mask: MediaReader, source: MediaReader) -> None:
    of_mask, of_source = mask.info(), source.info()
    if of_mask.num_frames != of_source.num_frames:
        raise MediaError(
            f"{mask.path} has {of_mask.num_frames} frames but {source.path} has {of_source.num_frames}, so which "
            "belong together is not known",
            reason="other length",
            hint="copy or download both again",
        )
    if (of_mask.width, of_mask.height) != (of_source.width, of_source.height):
        raise _other_size(mask.path, (of_mask.height, of_mask.width), source.path, (of_source.height, of_source.width))


def _other_size(
    mask: Path, of_mask: tuple[int, int], source: Path, of_source: tuple[int, int], *, where: str = ""
) -> MediaError:
    """Return the error for a mask of another (height, width) than its source."""
    return MediaError(
        f"{mask} has {of_mask[1]} x {of_mask[0]} pixels{where} but {source} has {of_source[1]} x {of_source[0]}",
        reason="other size",
        hint="give the mask of the source's own size",
    )
