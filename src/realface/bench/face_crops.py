"""Crops of real faces for the benchmarks: from a folder or manifest, or views of two portraits."""

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
_CLOSER = np.s_[24:256, 36:268]  # the part of a view that shows the head


def read_crops(source: Path | None, image_size: int) -> Tensor:
    """Return face crops as the input of a network.

    Args:
        source: a folder of crops, or a manifest; only the first 64 crops are read. Views of the two public-domain
            portraits when None.
        image_size: height and width of the result, in pixels.

    Returns:
        (N, 3, image_size, image_size), in [0, 1].

    Raises:
        MissingInputError: the folder or manifest is missing.
        ManifestError: the manifest cannot be read.
        MediaError: an image cannot be read, or no image was found.
    """
    transform = FaceTransform(image_size)
    images = portrait_views() if source is None else [read_image(path) for path in _files(source)]
    return torch.stack([transform(image) for image in images])


def named_crops(source: Path | None) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Return face crops in their original size, and the name of each identity.

    Args:
        source: a folder of crops, or a manifest, with one identity per file, named after the file; views of the two
            public-domain portraits when None.

    Raises:
        MissingInputError: the folder or manifest is missing.
        ManifestError: the manifest cannot be read.
        MediaError: an image cannot be read, or no image was found.
    """
    if source is None:
        views = [view[_CLOSER] for view in portrait_views()]
        half = len(views) // 2  # all views of the first portrait, then all of the second; the result alternates
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
    """Return rotated and enlarged views of both portraits: 12 images (304, 304, 3) RGB."""
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
            f"{source} contains no image", reason="empty folder", hint="give a folder or a manifest of face crops"
        )
    return list(islice(files, most))
