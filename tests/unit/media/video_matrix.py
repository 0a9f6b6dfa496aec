"""Small videos over container, codec, orientation, frame structure, rate and stream order, with the right answers.

Each frame carries its number (`numbered_frames`). The `ffmpeg` command writes the files in a folder of the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ffmpeg_oracle import run_ffmpeg
from numbered_frames import HEIGHT, WIDTH, Image, numbered_image
from numpy.typing import NDArray

NUM_FRAMES = 24
FPS = 25
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-g", "12", "-threads", "1")
X264 = (*_X264, "-bf", "0", "-pix_fmt", "yuv420p")
X264_B = (*_X264, "-bf", "2", "-b_strategy", "0", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:crf=12:keyint=12:bframes=2:pools=1")
QUALITY = ("-q:v", "2", "-threads", "1")
VP = ("-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-threads", "1")
BWDIF = "bwdif=mode=send_frame:deint=interlaced"


@dataclass(frozen=True)
class Case:
    """One generated video and what a player shows.

    Attributes:
        name: of the test.
        file: name of the video.
        build: writes the video to the path that it gets.
        encoders: FFmpeg's names of the encoders that `build` needs.
        numbers: number of each frame that is shown, in order.
        times: seconds of each frame after the first one; None for 25 frames per second.
        sizes: (height, width) as shown of each frame; the last one holds for all further frames.
        stream: index of the shown stream in the file.
        filters: what a player does that the `ffmpeg` command does only when asked.
        decoder: FFmpeg's name of the decoder that the oracle uses; its default one if empty.
        time_tolerance_s: how far the times may be off.
        has_alpha: whether the images have the alpha of `with_alpha` and are shown over white.
        hdr: transfer function of an HDR video, which the oracle does not convert.
        quick: whether the quick suite has it.
    """

    name: str
    file: str
    build: Callable[[Path], None]
    encoders: tuple[str, ...] = ("libx264",)
    numbers: tuple[int, ...] = tuple(range(NUM_FRAMES))
    times: tuple[float, ...] | None = None
    sizes: tuple[tuple[int, int], ...] = ((HEIGHT, WIDTH),)
    stream: int = 0
    filters: str = ""
    decoder: str = ""
    time_tolerance_s: float = 0.002
    has_alpha: bool = False
    hdr: str | None = None
    quick: bool = False

    @property
    def expected_times(self) -> list[float]:
        """Return the seconds of each frame after the first one."""
        return [number / FPS for number in range(len(self.numbers))] if self.times is None else list(self.times)

    @property
    def expected_sizes(self) -> list[tuple[int, int]]:
        """Return the (height, width) of each frame."""
        return [self.sizes[min(at, len(self.sizes) - 1)] for at in range(len(self.numbers))]

    def expected_image(self, at: int) -> Image:
        """Return what was drawn for the frame that is shown in place `at`, as shown."""
        height, width = self.expected_sizes[at]
        image = numbered_image(self.numbers[at], height=height, width=width)
        return over_white(with_alpha(image)) if self.has_alpha else image


def with_alpha(image: Image) -> Image:
    """Return the image with the lower left quarter transparent and the lower right one half transparent, RGBA."""
    height, width = image.shape[:2]
    middle = (height // 6 + height) // 2
    alpha = np.full((height, width, 1), 255, np.uint8)
    alpha[middle:, : width // 2] = 0
    alpha[middle:, width // 2 :] = 128
    return np.concatenate([image, alpha], axis=2)


def over_white(image: Image) -> Image:
    """Return an RGBA image over a white background."""
    alpha = image[..., 3:].astype(np.float64) / 255
    return np.rint(image[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def encode(
    path: Path,
    *options: str,
    images: Iterable[NDArray[np.uint8] | NDArray[np.uint16]] | None = None,
    inputs: Sequence[str] = (),
    pixels: str = "rgb24",
    rate: str = str(FPS),
) -> None:
    """Write a video of numbered images with `ffmpeg`.

    Args:
        path: the video.
        options: of the output.
        images: what it shows, all of one size; `numbered_image` 0 to 23 by default.
        inputs: options of further inputs, which come after the images.
        pixels: FFmpeg's name of the pixel format of the images.
        rate: frames per second.
    """
    shown = list(images) if images is not None else [numbered_image(number) for number in range(NUM_FRAMES)]
    height, width = shown[0].shape[:2]
    source = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", rate, "-i", "-"]
    content = b"".join(image.tobytes() for image in shown)
    run_ffmpeg(*source, *inputs, *options, "-fflags", "+bitexact", f"file:{path}", content=content)


def encoded(*options: str, **settings: object) -> Callable[[Path], None]:
    """Return a `build` that calls `encode` with these options."""
    return lambda path: encode(path, *options, **settings)  # type: ignore[arg-type]


def copied(
    build: Callable[[Path], None], name: str, *options: str, before: Sequence[str] = ()
) -> Callable[[Path], None]:
    """Return a `build` that writes the file `name` by another `build` and copies its streams to the final file."""

    def write(path: Path) -> None:
        source = path.with_name(f"source of {path.name} {name}")
        build(source)
        run_ffmpeg(*before, "-i", f"file:{source}", "-map", "0", "-c", "copy", *options, f"file:{path}")
        source.unlink()

    return write


def _sized(height: int, width: int, num_frames: int = NUM_FRAMES) -> list[Image]:
    return [numbered_image(number, height=height, width=width) for number in range(num_frames)]


def _containers() -> list[Case]:
    mpeg4 = ("-c:v", "mpeg4", *QUALITY, "-bf", "0")
    mpeg2 = ("-c:v", "mpeg2video", *QUALITY)
    return [
        Case("h264-bframes-mp4", "a.mp4", encoded(*X264_B), quick=True),
        Case("h264-mov", "a.mov", encoded(*X264)),
        Case("h264-bframes-mkv", "a.mkv", encoded(*X264_B)),
        Case("h264-faststart-mp4", "a.mp4", encoded(*X264_B, "-movflags", "faststart")),
        Case("h264-fragmented-mp4", "a.mp4", encoded(*X264_B, "-movflags", "frag_keyframe+empty_moov")),
        Case("h264-fragments-cmaf-mp4", "a.mp4", encoded(*X264_B, "-movflags", "cmaf+frag_every_frame")),
        Case("h264-bframes-ts", "a.ts", encoded(*X264_B)),
        Case("h264-m2ts", "a.m2ts", encoded(*X264_B, "-f", "mpegts", "-mpegts_m2ts_mode", "1")),
        Case("h264-flv", "a.flv", encoded(*X264_B)),
        Case("h264-f4v", "a.f4v", encoded(*X264_B, "-f", "f4v")),
        Case("flv1-flv", "a.flv", encoded("-c:v", "flv", *QUALITY), ("flv",)),
        Case("h263-3gp", "a.3gp", encoded("-c:v", "h263", *QUALITY), ("h263",)),
        Case("wmv2-wmv", "a.wmv", encoded("-c:v", "wmv2", *QUALITY), ("wmv2",)),
        Case("msmpeg4-divx", "a.divx", encoded("-c:v", "msmpeg4", *QUALITY, "-f", "avi"), ("msmpeg4",)),
        Case("theora-ogv", "a.ogv", encoded("-c:v", "libtheora", "-q:v", "9"), ("libtheora",)),
        Case("mpeg2-mxf", "a.mxf", encoded(*mpeg2, "-bf", "2", "-g", "12"), ("mpeg2video",)),
        Case("mpeg2-bframes-ps", "a.mpg", encoded(*mpeg2, "-bf", "2"), ("mpeg2video",)),
        Case("mpeg1-ps", "a.mpg", encoded("-c:v", "mpeg1video", *QUALITY, "-bf", "2"), ("mpeg1video",)),
        Case("mpeg2-vob", "a.vob", encoded(*mpeg2, "-f", "vob"), ("mpeg2video",)),
        Case("mjpeg-avi", "a.avi", encoded("-c:v", "mjpeg", *QUALITY), ("mjpeg",)),
        Case("rawvideo-avi", "a.avi", encoded("-c:v", "rawvideo", "-pix_fmt", "bgr24"), ("rawvideo",)),
        Case("utvideo-avi", "a.avi", encoded("-c:v", "utvideo"), ("utvideo",)),
        Case("mpeg4-mp4", "a.mp4", encoded(*mpeg4), ("mpeg4",)),
        Case("ffv1-mkv", "a.mkv", encoded("-c:v", "ffv1", "-pix_fmt", "yuv444p"), ("ffv1",)),
        Case("mp4-without-suffix", "a", encoded(*X264_B, "-f", "mp4"), quick=True),
        Case("mkv-named-mp4", "a.mp4", encoded(*X264_B, "-f", "matroska")),
        Case("mp4-named-avi", "a.avi", encoded(*X264_B, "-f", "mp4")),
        Case("mp4-named-jpg", "a.jpg", encoded(*X264_B, "-f", "mp4")),
        Case("mov-named-qt", "a.qt", encoded(*X264_B, "-f", "mov")),
    ]


def _streams_without_container() -> list[Case]:
    mpeg4 = ("-c:v", "mpeg4", *QUALITY, "-bf", "2", "-f", "m4v")
    return [
        Case("h264-raw", "a.h264", encoded(*X264, "-f", "h264")),
        Case("h264-bframes-raw", "a.264", encoded(*X264_B, "-f", "h264"), quick=True),
        Case("hevc-bframes-raw", "a.hevc", encoded(*X265, "-f", "hevc"), ("libx265",)),
        Case("mpeg4-bframes-raw", "a.m4v", encoded(*mpeg4), ("mpeg4",)),
        Case("mpeg2-raw", "a.m2v", encoded("-c:v", "mpeg2video", *QUALITY, "-bf", "2"), ("mpeg2video",)),
        Case("vp8-ivf", "a.ivf", encoded("-c:v", "libvpx", *VP), ("libvpx",)),
    ]


def _colours() -> list[Case]:
    def matrix(name: str, flag: str) -> tuple[str, ...]:
        return ("-vf", f"scale=out_color_matrix={name}", "-colorspace", flag)

    return [
        Case("h264-full-range-mp4", "a.mp4", encoded(*_X264, "-pix_fmt", "yuvj420p")),
        Case("h264-bt709-mp4", "a.mp4", encoded(*X264, *matrix("bt709", "bt709")), quick=True),
        Case("h264-bt601-mp4", "a.mp4", encoded(*X264, *matrix("bt601", "smpte170m"))),
        Case("h264-yuv444-mkv", "a.mkv", encoded(*_X264, "-pix_fmt", "yuv444p")),
        Case("h264-10-bit-mkv", "a.mkv", encoded(*_X264, "-pix_fmt", "yuv422p10le")),
        Case("h264-rgb-mkv", "a.mkv", encoded("-c:v", "libx264rgb", *_X264[2:]), ("libx264rgb",)),
        Case("hevc-10-bit-mp4", "a.mp4", encoded(*X265, "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"), ("libx265",)),
    ]


def all_cases() -> list[Case]:
    """Return every case."""
    return [*_containers(), *_streams_without_container(), *_colours()]


CASES = {case.name: case for case in all_cases()}
assert len(CASES) == len(all_cases()), "two cases have one name"
