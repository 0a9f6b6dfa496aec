"""Crops of real faces to compute scores of, without a file at hand."""

from __future__ import annotations

from itertools import islice, product
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realface.core.errors import MediaError
from realface.core.files import sha256_of
from realface.data.transforms import FaceTransform
from realface.faces.detectors.registry import default_crop_spec, face_detector_for
from realface.faces.portraits import CANVAS, FACE_CENTER, load_portraits
from realface.manifest.manifest import Manifest
from realface.media.discovery import find_media
from realface.media.images import is_image_name, read_image

MOST_CROPS = 64
ANGLES = (-6.0, 0.0, 6.0)
SCALES = (1.0, 1.2)
_CLOSER = np.s_[24:256, 36:268]  # only the head of a view


def read_crops(source: Path | None, image_size: int) -> Tensor:
    """Face crops, as a network is given them.

    Args:
        source: a folder of crops, or a manifest; the first 64 are taken. Views of the two public-domain portraits
            when None.
        image_size: height and width to which they are resized, in pixels.

    Returns:
        (N, 3, image_size, image_size), in [0, 1].

    Raises:
        MissingInputError: there is no such folder or manifest.
        ManifestError: the manifest cannot be read.
        MediaError: a picture cannot be read, or there is none.
    """
    transform = FaceTransform(image_size)
    images = portrait_views() if source is None else [read_image(path) for path in _files(source)]
    return torch.stack([transform(image) for image in images])


def named_crops(source: Path | None) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Return face crops in their own size, and the name of each identity.

    Args:
        source: as for `read_crops`, but all crops are taken. The name of an identity is that of the file.

    Raises:
        MissingInputError, ManifestError, MediaError: as `read_crops`.
    """
    if source is None:
        views = [view[_CLOSER] for view in portrait_views()]
        half = len(views) // 2  # one portrait after the other; here they take turns
        pairs = list(zip(views[:half], views[half:], strict=True))
        return [view for pair in pairs for view in pair], ["astronaut", "hopper"] * half
    files = _files(source, most=None)
    return [read_image(path) for path in files], [path.stem for path in files]


def crop_hashes(source: Path) -> list[str]:
    """Return the SHA-256 of the file of each crop of `named_crops`.

    Args:
        source: a folder or a manifest of face crops.
    """
    return [sha256_of(path) for path in _files(source, most=None)]


def portrait_views() -> list[NDArray[np.uint8]]:
    """Both portraits, turned and enlarged: 12 pictures (304, 304, 3) RGB."""
    portraits = load_portraits(face_detector_for(default_crop_spec(), device="cpu"))
    center = (float(FACE_CENTER[0]), float(FACE_CENTER[1]))
    return [
        cv2.warpAffine(
            portrait.image,
            cv2.getRotationMatrix2D(center, angle, scale),
            (CANVAS, CANVAS),
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.uint8)
        for portrait, angle, scale in product(portraits, ANGLES, SCALES)
    ]


def _files(source: Path, *, most: int | None = MOST_CROPS) -> list[Path]:
    if source.is_dir():
        files = [path for path in find_media([source]) if is_image_name(path)]
    else:
        manifest = Manifest.read(source)
        files = [manifest.file_of(row) for row in range(len(manifest) if most is None else min(len(manifest), most))]
    if not files:
        raise MediaError(
            f"{source} has no picture", reason="empty folder", hint="give a folder or a manifest of face crops"
        )
    return list(islice(files, most))
