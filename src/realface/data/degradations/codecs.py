"""Compression by JPEG, WebP and H.264."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from realface.data.degradations.operator import Filter, Image, Operator, Stage, per_frame

JPEG_QUALITIES = (88, 70, 50, 32, 18)
WEBP_QUALITIES = (88, 65, 40, 20, 8)
H264_RATE_FACTORS = (18, 23, 28, 34, 40)
"""x264's constant rate factors. FaceForensics++ publishes 23 and 40; x264's default is 23."""

_BLOCK = 8  # pixels of a JPEG block
_BT709 = 1  # AVCOL_SPC_BT709, and the limited range's number is 1 too


def through_jpeg(image: Image, quality: int, *, subsampled: bool = True) -> Image:
    """Return the image after JPEG compression.

    Args:
        image: (H, W, 3) RGB.
        quality: 1 to 100.
        subsampled: whether the colours have half the resolution (4:2:0), as phones and platforms write them.
    """
    factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsampled else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    return _recoded(image, ".jpg", settings)


def through_webp(image: Image, quality: int) -> Image:
    """Return the image after lossy WebP compression of quality 1 to 100."""
    return _recoded(image, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def through_h264(frames: Sequence[Image], rate_factor: int) -> list[Image]:
    """Return the frames after H.264 compression (yuv420p, BT.709), in memory and on one thread.

    Args:
        frames: one or more of (H, W, 3) RGB, all of one size.
        rate_factor: x264's constant rate factor, 0 to 51.
    """
    height, width = frames[0].shape[:2]
    below, right = -height % 2, -width % 2  # yuv420p has even sides
    encoder = _context("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width + right, height + below, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.colorspace = encoder.color_range = _BT709
    encoder.options = {"crf": str(rate_factor), "preset": "veryfast", "x264-params": "cpu-independent=1"}
    packets = []
    for index, frame in enumerate(frames):
        even = np.pad(frame, ((0, below), (0, right), (0, 0)), mode="edge")
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        planes = rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, threads=1)
        planes.pts = index
        packets += encoder.encode(planes)
    packets += encoder.encode(None)
    decoder = _context("h264", "r")
    decoded = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return [_rgb_of(frame)[:height, :width] for frame in decoded]


def _context(codec: Literal["libx264", "h264"], mode: Literal["r", "w"]) -> VideoCodecContext:
    context = VideoCodecContext.create(codec, mode)
    context.thread_count = 1  # so that the result does not depend on the number of cores
    return context


def _rgb_of(frame: VideoFrame) -> NDArray[np.uint8]:
    rgb = frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709, threads=1)
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def _recoded(image: Image, suffix: str, settings: list[int]) -> Image:
    written, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert written
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _draw_jpeg(level: int, generator: np.random.Generator) -> Filter:
    quality = JPEG_QUALITIES[level - 1] + int(generator.integers(-4, 5))
    subsampled = bool(generator.random() < 0.8)
    # a face was hardly ever cut out along the blocks of the image that it came from
    top, left = (int(value) for value in generator.integers(_BLOCK, size=2))

    def change(image: Image) -> Image:
        framed = cv2.copyMakeBorder(image, top, 0, left, 0, cv2.BORDER_REFLECT_101)
        recoded = through_jpeg(np.asarray(framed, dtype=np.uint8), quality, subsampled=subsampled)
        return np.ascontiguousarray(recoded[top:, left:])

    return per_frame(change)


def _draw_webp(level: int, generator: np.random.Generator) -> Filter:
    quality = WEBP_QUALITIES[level - 1] + int(generator.integers(-4, 5))
    return per_frame(lambda image: through_webp(image, quality))


def _draw_h264(level: int, generator: np.random.Generator) -> Filter:
    rate_factor = H264_RATE_FACTORS[level - 1] + int(generator.integers(-1, 2))
    shift = tuple(int(value) for value in generator.integers(-2, 3, size=2))
    predicted = bool(generator.random() < 0.75)

    def change(frames: Sequence[Image]) -> list[Image]:
        if len(frames) > 1 or not predicted:
            return through_h264(frames, rate_factor)
        # most frames of a video are predicted from another one: here, from the image itself, moved a little
        return through_h264([np.roll(frames[0], shift, axis=(0, 1)), frames[0]], rate_factor)[1:]

    return change


def _named(word: str, values: Sequence[object]) -> tuple[str, str, str, str, str]:
    first, second, third, fourth, fifth = (f"{word} {value}" for value in values)
    return first, second, third, fourth, fifth


JPEG = Operator("jpeg", Stage.CODEC, _named("quality", JPEG_QUALITIES), _draw_jpeg)
WEBP = Operator("webp", Stage.CODEC, _named("quality", WEBP_QUALITIES), _draw_webp)
H264 = Operator("h264", Stage.CODEC, _named("CRF", H264_RATE_FACTORS), _draw_h264)
