"""Reading of any image as uint8 RGB; writing and resizing of images."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realface.core.errors import MediaError
from realface.core.files import written_atomically
from realface.media.input_files import require_file
from realface.media.pillow_files import MAX_PIXELS, decoded, open_image

IMAGE_SUFFIXES = frozenset(
    [
        *(
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".mpo",
            ".png",
            ".apng",
            ".webp",
            ".avif",
            ".heic",
            ".heif",
            ".hif",
            ".gif",
        ),
        *(".bmp", ".dib", ".tif", ".tiff", ".jp2", ".j2k", ".jpx", ".pbm", ".pgm", ".ppm", ".pnm"),
    ]
)
"""Suffixes of images in lists and folders; an image that is named itself may have any suffix."""


def is_image_name(path: Path) -> bool:
    """Return whether the suffix is that of an image format."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return an image of any format, depth and colour mode, as a viewer shows it.

    EXIF orientation is applied. Transparency is blended over white. 16-bit values keep their upper 8 bits. Of an
    animation, the first frame is returned. ICC profiles are not applied: detectors are trained without them.

    Args:
        path: file of the image.
        max_pixels: larger images are refused before they are decoded. Pillow's limit of 178,956,970 pixels applies too.

    Returns:
        (H, W, 3) uint8 RGB, contiguous.

    Raises:
        MissingInputError: the file does not exist.
        MediaError: "not a file", "empty file", "unreadable", "not a picture", "missing extra", "too large",
            "truncated" or "unsupported".
    """
    require_file(path, what="picture")
    with open_image(path, max_pixels=max_pixels) as image:
        return decoded(image, path, max_pixels=max_pixels)


def image_size(path: Path) -> tuple[int, int]:
    """Return the stored height and width, in pixels, from the header only.

    EXIF orientation is not applied, and damage after the header is not detected.

    Raises:
        MissingInputError: the file does not exist.
        MediaError: the reasons of `read_image`, except "truncated", "too large" and "unsupported".
    """
    require_file(path, what="picture")
    with open_image(path, max_pixels=sys.maxsize) as image:
        width, height = image.size
        return height, width


def write_image(path: Path, image: NDArray[np.uint8], *, jpeg_quality: int = 95) -> None:
    """Write an image atomically; the suffix (.png, .jpg, .jpeg) chooses the format.

    Args:
        image: (H, W, 3) RGB or (H, W) grey.
        jpeg_quality: 1 to 95.

    Raises:
        MediaError: another suffix ("unsupported").
    """
    suffix = path.suffix.lower()
    if suffix not in {".png", ".jpg", ".jpeg"}:
        raise MediaError(f"cannot write {path}: give a name that ends in .png, .jpg or .jpeg", reason="unsupported")
    with written_atomically(path) as temporary:
        temporary.write_bytes(encoded_image(image, jpeg_quality=None if suffix == ".png" else jpeg_quality))


def encoded_image(image: NDArray[np.uint8], *, jpeg_quality: int | None = None) -> bytes:
    """Return the bytes of an image file: a PNG, or a JPEG of the given quality.

    Args:
        image: (H, W, 3) RGB or (H, W) grey.
        jpeg_quality: 1 to 95.
    """
    stored = io.BytesIO()
    if jpeg_quality is None:
        # level 1 writes a crop of 256 px in a quarter of the default's time, some percent larger
        Image.fromarray(image).save(stored, format="PNG", compress_level=1)
    else:
        Image.fromarray(image).save(stored, format="JPEG", quality=jpeg_quality, subsampling=0)
    return stored.getvalue()


def through_jpeg(image: NDArray[np.uint8], jpeg_quality: int) -> NDArray[np.uint8]:
    """Return the pixels of an image after writing and reading it as a JPEG.

    Args:
        image: (H, W, 3) RGB.
        jpeg_quality: 1 to 95.

    Returns:
        (H, W, 3), another array.
    """
    stored = io.BytesIO(encoded_image(image, jpeg_quality=jpeg_quality))
    with Image.open(stored, formats=["JPEG"]) as read:
        return np.array(read.convert("RGB"))


def resize_image(image: NDArray[np.uint8], size: int | tuple[int, int]) -> NDArray[np.uint8]:
    """Resize by OpenCV's bilinear rule, without antialiasing and without keeping the aspect.

    Args:
        image: (H, W, 3) or (H, W).
        size: (height, width) in pixels, or one number for both.

    Source: RECCE and RFFR releases; torchvision's default, which antialiases, gives other values.

    Example:
        >>> resize_image(np.zeros((48, 64, 3), np.uint8), 24).shape
        (24, 24, 3)
    """
    height, width = (size, size) if isinstance(size, int) else size
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
