"""Writing H.264 videos, the same bytes for the same frames."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from realface.core.errors import MediaError
from realface.core.files import written_atomically

_BT709 = 1  # AVCOL_SPC_BT709, the colour matrix, and 1 is also AVCOL_RANGE_MPEG, the limited range


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], *, fps: float = 25, crf: int = 23) -> None:
    """Write an H.264 video (yuv420p, BT.709) in MP4, whole or not at all.

    One thread encodes, so that the bytes depend on the frames and the version of x264 only. H.264 in yuv420p
    has even sides only: the last row or column of an odd one is repeated.

    Args:
        path: must end in .mp4.
        frames: (H, W, 3) RGB each, all of one size; taken one at a time.
        fps: frames per second.
        crf: x264's constant rate factor, 0 (lossless) to 51; FaceForensics++ has c23 and c40.

    Raises:
        MediaError: no frames ("no frames"), sizes that differ, or another suffix ("unsupported").
    """
    if path.suffix.lower() != ".mp4":
        raise MediaError(f"cannot write {path}: give a name that ends in .mp4", reason="unsupported")
    images = iter(frames)
    first = next(images, None)
    if first is None:
        raise MediaError(f"cannot write {path}: there are no frames", reason="no frames")
    rate = Fraction(fps).limit_denominator(1001)  # 1001 as in 30000/1001, television's 29.97
    with written_atomically(path) as temporary, av.open(f"file:{temporary}", "w", format="mp4") as container:
        # without cpu-independent, x264's macroblock tree differs from run to run, even on one thread
        options = {"crf": str(crf), "x264-params": "cpu-independent=1"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = (side + side % 2 for side in first.shape[:2])
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = stream.codec_context.color_range = _BT709
        for index, image in enumerate(chain([first], images)):
            if image.shape != first.shape:
                raise MediaError(
                    f"cannot write {path}: frame {index} has the shape {image.shape}, the first {first.shape}",
                    reason="unsupported",
                    hint="give frames of one size",
                )
            frame = _even_frame(image)
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _even_frame(image: NDArray[np.uint8]) -> VideoFrame:
    height, width = image.shape[:2]
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rgb = VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
    return rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
