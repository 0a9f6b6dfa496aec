"""Reading any picture that a user has as uint8 RGB; writing and resizing pictures."""

from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realface.core.errors import MediaError
from realface.core.files import written_atomically
from realface.media.input_files import require_file

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".jp2", ".pgm", ".ppm"}
)
"""What `find_media` looks for; a picture that is named outright may have any suffix."""

# EPS is left out, because decoding it runs a program.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "JPEG2000", "PPM")
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation; Pillow's angles are counter-clockwise
# What Pillow's plugins raise on damage: one per library below them, and Python's own from reading fields that lie.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def is_image_name(path: Path) -> bool:
    """Whether the suffix is one of a picture."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def read_image(path: Path, *, max_pixels: int = 150_000_000) -> NDArray[np.uint8]:
    """The picture as a viewer shows it, whatever its format, depth and colours.

    EXIF orientation is applied. Transparency is laid over white. 16-bit values keep their upper 8 bits. Of an
    animation the first frame is taken. ICC profiles are not applied: detectors are trained without them.

    Args:
        max_pixels: a larger picture is refused before it is decoded. Pillow's own limit of 178,956,970 holds too.

    Returns:
        (H, W, 3) uint8 RGB, contiguous.

    Raises:
        MissingInputError: there is nothing of that name.
        MediaError: "not a file", "empty file", "unreadable", "not a picture", "too large", "truncated" or
            "unsupported".
    """
    require_file(path, what="picture")
    with _opened(path, max_pixels) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise _too_large(path, f"{width} x {height} pixels", max_pixels)
        try:
            image.load()
        except _DECODING_ERRORS as error:
            raise MediaError(
                f"{path} is cut off or damaged ({error}); copy or download it again", reason="truncated"
            ) from error
        return np.array(_rgb(_upright(image), path))


def image_size(path: Path) -> tuple[int, int]:
    """Height and width as stored, by the header alone: EXIF orientation is not applied, damage behind it not seen.

    Raises:
        MissingInputError, MediaError: as `read_image`, but for "truncated", "too large" and "unsupported".
    """
    require_file(path, what="picture")
    with _opened(path, max_pixels=sys.maxsize) as image:
        width, height = image.size
        return height, width


def write_image(path: Path, image: NDArray[np.uint8], *, jpeg_quality: int = 95) -> None:
    """Write a picture, whole or not at all; the suffix (.png, .jpg, .jpeg) chooses the format.

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
    """The bytes of a picture's file: a PNG, or a JPEG of that quality.

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
    """The pixels that `read_image` gives of what `write_image` made a JPEG of.

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
    """
    height, width = (size, size) if isinstance(size, int) else size
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _opened(path: Path, max_pixels: int) -> Image.Image:
    """Read the header only, with a clear line for what is no picture."""
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]  # AVIF is not in every build of Pillow
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # about large pictures, for which there is `max_pixels`, and damaged headers
            return Image.open(path, formats=formats)
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise _too_large(path, f"more than {limit:,} pixels", min(max_pixels, limit)) from error
    except PermissionError as error:
        raise MediaError(f"{path} may not be read; change its permissions", reason="unreadable") from error
    except _DECODING_ERRORS as error:
        raise MediaError(
            f"{path} is not a picture that can be read, or is damaged; convert it to PNG or JPEG, or leave it out",
            reason="not a picture",
        ) from error


def _too_large(path: Path, size: str, max_pixels: int) -> MediaError:
    return MediaError(
        f"{path} is too large: {size}, and the limit is {max_pixels:,}; make it smaller", reason="too large"
    )


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation, which Pillow has already done for TIFF; damaged EXIF counts as none."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION)
    except _DECODING_ERRORS:
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _rgb(image: Image.Image, path: Path) -> Image.Image:
    """Bring any mode to 8-bit RGB, over white where there is transparency."""
    is_16_bit = image.mode.startswith("I;16") or (image.mode == "I" and image.format in {"PNG", "PPM"})
    if is_16_bit:  # Pillow's own conversion clips at 255
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"I", "F", "LAB"}:
        raise MediaError(
            f"{path} has pixels of the kind {image.mode!r}, whose range is not known; save it with 8 or 16 bits",
            reason="unsupported",
        )
    if image.has_transparency_data:
        overlay = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", overlay.size, "white"), overlay).convert("RGB")
    return image.convert("RGB")
