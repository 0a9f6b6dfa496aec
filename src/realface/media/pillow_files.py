"""Opening and decoding image files with Pillow."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realface.core.errors import MediaError
from realface.media.file_types import HEAD_BYTES, is_heic, is_png
from realface.media.input_files import has_too_many_files, unreadable
from realface.media.library_messages import set_library_messages, without_warnings
from realface.media.png_chunks import shown_chunks

MAX_PIXELS = 150_000_000
"""Most pixels of an image or of one frame."""

# EPS is excluded, because decoding it runs a program.
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
DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""Errors that Pillow's plugins raise on damage: an error per library, and Python's errors from wrong fields."""


@contextmanager
def open_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open an image file; only the header is read.

    Args:
        path: the file.
        max_pixels: named in the error if Pillow's own limit of 178,956,970 pixels is exceeded.

    Raises:
        MediaError: "unreadable", "not a picture", "too large", or "missing extra" for HEIC without pillow-heif.
    """
    set_library_messages()
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with file, _opened(path, file, max_pixels) as image:
        yield image


def decoded(image: Image.Image, path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the pixels of the frame at which the image is, as a viewer shows it.

    Returns:
        (H, W, 3) uint8 RGB, contiguous: upright by EXIF, over white where transparent, the upper 8 of 16 bits.

    Raises:
        MediaError: "too large", "truncated" or "unsupported".
    """
    require_pixels(image, path, max_pixels)
    with without_warnings():
        try:
            image.load()
            return np.array(_rgb(_upright(image), path))
        except MediaError:
            raise
        except DECODING_ERRORS as error:
            if isinstance(error, OSError) and has_too_many_files(error):
                raise unreadable(path, error) from error
            raise MediaError(
                f"{path} is cut off or damaged ({one_line(error)})",
                reason="truncated",
                hint="copy or download it again",
            ) from error
        except Image.DecompressionBombError as error:
            raise _too_large(path, "more pixels than Pillow decodes", max_pixels) from error


def require_pixels(image: Image.Image, path: Path, max_pixels: int) -> None:
    """Raise if the frame at which the image is has too many pixels.

    Raises:
        MediaError: "too large".
    """
    width, height = image.size
    if width * height > max_pixels:
        raise _too_large(path, f"{width} x {height} pixels", max_pixels)


def _opened(path: Path, file: BinaryIO, max_pixels: int) -> Image.Image:
    """Read the header only, with a clear error for files that are not images."""
    Image.init()
    head = file.read(HEAD_BYTES)
    file.seek(0)
    formats = [name for name in _FORMATS if name in Image.OPEN]  # AVIF is not in every build of Pillow
    try:
        if is_heic(head):
            _register_heic(path)
            formats = ["HEIF"]
        with without_warnings():  # about large images, for which there is `max_pixels`, and damaged headers
            return Image.open(shown_chunks(file) if is_png(head) else file, formats=formats)
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise _too_large(path, f"more than {limit:,} pixels", min(max_pixels, limit)) from error
    except MediaError:
        raise
    except DECODING_ERRORS as error:
        if isinstance(error, OSError) and (isinstance(error, PermissionError) or has_too_many_files(error)):
            raise unreadable(path, error) from error
        raise MediaError(
            f"{path} is not a picture that can be read, or is damaged",
            reason="not a picture",
            hint="convert it to PNG or JPEG, or leave it out",
        ) from error


def _register_heic(path: Path) -> None:
    """Make Pillow read HEIC.

    Raises:
        MediaError: "missing extra".
    """
    if "HEIF" in Image.OPEN:
        return
    try:
        import pillow_heif
    except ImportError as error:
        raise MediaError(
            f"{path} is a HEIC image, which needs pillow-heif",
            reason="missing extra",
            hint='install it: pip install "realface[heif]"',
        ) from error
    pillow_heif.register_heif_opener()


def one_line(error: BaseException) -> str:
    """Return an error's text without the line breaks that some libraries write."""
    return " ".join(str(error).split())


def _too_large(path: Path, size: str, max_pixels: int) -> MediaError:
    return MediaError(
        f"{path} is too large: {size}, and the limit is {max_pixels:,}", reason="too large", hint="make it smaller"
    )


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation, which Pillow has already done for TIFF; damaged EXIF counts as none."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION)
    except DECODING_ERRORS:
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _rgb(image: Image.Image, path: Path) -> Image.Image:
    """Convert any mode to 8-bit RGB, with transparency blended over white."""
    is_16_bit = image.mode.startswith("I;16") or (image.mode == "I" and image.format in {"PNG", "PPM"})
    if is_16_bit:  # Pillow's own conversion clips at 255
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"I", "F", "LAB"}:
        raise MediaError(
            f"{path} has pixels of the kind {image.mode!r}, whose range is not known",
            reason="unsupported",
            hint="save it with 8 or 16 bits",
        )
    if image.has_transparency_data:
        overlay = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", overlay.size, "white"), overlay).convert("RGB")
    return image.convert("RGB")
