"""Chains as social media and messengers apply them: shrink, sharpen, compress, perhaps twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from realface.data.degradations.codecs import through_h264, through_jpeg
from realface.data.degradations.operator import Filter, Image, Operator, Stage
from realface.data.degradations.resampling import ENLARGING, resized, sharpened, shrunk


@dataclass(frozen=True)
class _Setting:
    """Settings of one level: factor of the image's sides, JPEG quality, x264's rate factor, number of uploads."""

    factor: float
    quality: int
    rate_factor: int
    uploads: int


SETTINGS = (
    _Setting(0.9, 88, 21, uploads=1),
    _Setting(0.75, 80, 25, uploads=1),
    _Setting(0.6, 72, 28, uploads=1),
    _Setting(0.5, 65, 31, uploads=2),
    _Setting(0.4, 50, 35, uploads=2),
)
"""Ours. Platforms write JPEG between about 70 and 90 and shrink images above a size limit; messengers shrink more."""

_SHARPENING = (0.2, 0.7)
_VIDEO_SHARE = 0.4  # of the chains that end in H.264


def _draw_social_media(level: int, generator: np.random.Generator) -> Filter:
    setting = SETTINGS[level - 1]
    factor = min(1.0, setting.factor * generator.uniform(0.95, 1.05))
    amount = float(generator.uniform(*_SHARPENING))
    is_video = bool(generator.random() < _VIDEO_SHARE)
    quality = setting.quality + int(generator.integers(-4, 5))
    rate_factor = setting.rate_factor + int(generator.integers(-1, 2))
    up = ENLARGING[int(generator.integers(len(ENLARGING)))]

    def change(frames: Sequence[Image]) -> list[Image]:
        height, width = frames[0].shape[:2]
        small = [sharpened(shrunk(frame, factor, cv2.INTER_AREA), amount, sigma=0.8) for frame in frames]
        for _ in range(setting.uploads):
            small = through_h264(small, rate_factor) if is_video else [through_jpeg(one, quality) for one in small]
        return [resized(np.ascontiguousarray(frame), width, height, up) for frame in small]

    return change


SOCIAL_MEDIA = Operator(
    "social_media",
    Stage.PLATFORM,
    (
        "to 0.9 of the side, JPEG 88 or CRF 21",
        "to 0.75, JPEG 80 or CRF 25",
        "to 0.6, JPEG 72 or CRF 28",
        "to 0.5, JPEG 65 or CRF 31, twice",
        "to 0.4, JPEG 50 or CRF 35, twice",
    ),
    _draw_social_media,
)
