"""The mask of a forged video or picture, cut at the places where its faces were cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import MediaError
from realface.data.masks import forged_pixels
from realface.faces.cropper import crop_face
from realface.media.images import is_image_name, read_image
from realface.media.videos import Frame, frames_at, probe_video


def cut_masks(mask: Path, source: Path, boxes: Mapping[int, Box], spec: CropSpec) -> dict[int, NDArray[np.uint8]]:
    """Cut the mask's crop out of every frame of which a face was cut.

    A mask that is not frame for frame and pixel for pixel that of its source is refused as a whole: which of its frames
    belongs to which crop could only be guessed.

    Args:
        mask: a picture or video, bright where the source was changed.
        source: what it is the mask of.
        boxes: the face's box by the frame's number, at least one.
        spec: how the faces were cropped.

    Returns:
        (size, size) uint8 by the frame's number, 255 where the crop was forged and 0 elsewhere.

    Raises:
        MissingInputError: one of the files does not exist.
        MediaError: the mask cannot be read, or is of "other length" or "other size" than its source.
    """
    _require_same_extent(mask, source)
    masks = {
        frame.index: forged_pixels(crop_face(frame.image, boxes[frame.index], spec)).astype(np.uint8) * 255
        for frame in _frames(mask, boxes)
    }
    if lost := set(boxes) - set(masks):
        raise MediaError(
            f"{mask}: frame {min(lost)} cannot be decoded; copy or download the mask again", reason="damaged"
        )
    return masks


def _require_same_extent(mask: Path, source: Path) -> None:
    (mask_frames, *mask_size), (source_frames, *source_size) = _extent(mask), _extent(source)
    if mask_frames != source_frames:
        raise MediaError(
            f"{mask} has {mask_frames} frames but {source} has {source_frames}, so which belong together is not known; "
            "copy or download both again",
            reason="other length",
        )
    if mask_size != source_size:
        width, height = mask_size
        raise MediaError(
            f"{mask} has {width} x {height} pixels but {source} has {source_size[0]} x {source_size[1]}; "
            "give the mask of the source's own size",
            reason="other size",
        )


def _extent(path: Path) -> tuple[int, int, int]:
    """Number of frames, width and height."""
    if is_image_name(path):
        height, width = read_image(path).shape[:2]
        return 1, width, height
    info = probe_video(path)
    return info.num_frames, info.width, info.height


def _frames(path: Path, indices: Collection[int]) -> Iterator[Frame]:
    if is_image_name(path):
        yield Frame(index=0, time_s=0.0, image=read_image(path))
    else:
        yield from frames_at(path, indices)
