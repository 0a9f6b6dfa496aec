"""Composition of images and text into one image, on a dark background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]

BACKGROUND: Colour = (24, 26, 30)
TEXT: Colour = (240, 240, 240)
FAINT: Colour = (165, 170, 178)
GAP = 8


def beside(pictures: Sequence[Picture], *, gap: int = GAP) -> Picture:
    """Return images (H, W, 3) side by side, with aligned upper edges."""
    height = max(picture.shape[0] for picture in pictures)
    width = sum(picture.shape[1] for picture in pictures) + gap * (len(pictures) - 1)
    canvas = np.full((height, width, 3), BACKGROUND, np.uint8)
    left = 0
    for picture in pictures:
        canvas[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + gap
    return canvas


def stacked(pictures: Sequence[Picture], *, gap: int = GAP, centred: bool = False) -> Picture:
    """Return images (H, W, 3) in one column, with aligned left edges or centred."""
    height = sum(picture.shape[0] for picture in pictures) + gap * (len(pictures) - 1)
    width = max(picture.shape[1] for picture in pictures)
    canvas = np.full((height, width, 3), BACKGROUND, np.uint8)
    top = 0
    for picture in pictures:
        left = (width - picture.shape[1]) // 2 if centred else 0
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        top += picture.shape[0] + gap
    return canvas


def framed(picture: Picture, *, gap: int = GAP) -> Picture:
    """Return an image (H, W, 3) with the background around it."""
    canvas = np.full((picture.shape[0] + 2 * gap, picture.shape[1] + 2 * gap, 3), BACKGROUND, np.uint8)
    canvas[gap:-gap, gap:-gap] = picture
    return canvas


def resized(picture: Picture, *, height: int, width: int) -> Picture:
    """Return a resized image (H, W, 3) for display: averaged when it shrinks, smooth when it grows."""
    interpolation = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (max(1, width), max(1, height)), interpolation=interpolation), dtype=np.uint8)


def line(text: str, *, width: int, size: float = 16, colour: Colour = TEXT, centred: bool = False) -> Picture:
    """Return a line of text as an image; text beyond its width is cut off.

    Args:
        text: text of the line.
        width: width of the image, in pixels.
        size: size of the letters, in pixels.
        colour: colour of the letters.
        centred: whether the text is centred; otherwise it is on the left.
    """
    canvas = Image.new("RGB", (width, round(1.4 * size)), BACKGROUND)
    x, anchor = (width / 2, "mm") if centred else (0, "lm")
    ImageDraw.Draw(canvas).text((x, canvas.height / 2), text, fill=colour, font=font(size), anchor=anchor)
    return np.array(canvas)


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font of every drawn word, in a size in pixels."""
    return ImageFont.load_default(size=size)
