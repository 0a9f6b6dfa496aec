"""Writing small videos of numbered frames with the `ffmpeg` command, and what a player shows of each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffmpeg_oracle import run_ffmpeg
from numbered_frames import HEIGHT, WIDTH, Image, numbered_image

Drawing: TypeAlias = Callable[[], Iterable[NDArray[np.generic]]]

NUM_FRAMES = 24
FPS = 25
X264_ANY = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-g", "12", "-threads", "1")
X264 = (*X264_ANY, "-bf", "0", "-pix_fmt", "yuv420p")
X264_B = (*X264_ANY, "-bf", "2", "-b_strategy", "0", "-pix_fmt", "yuv420p")
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
        clock_jumps: whether the time stamps jump back, so that ffprobe's times are not those of a player.
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
    clock_jumps: bool = False
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


def numbered_images(count: int = NUM_FRAMES, *, height: int = HEIGHT, width: int = WIDTH) -> list[Image]:
    """Return the images with the numbers from 0 on."""
    return [numbered_image(number, height=height, width=width) for number in range(count)]


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
    images: Iterable[NDArray[np.generic]],
    inputs: Sequence[str] = (),
    pixels: str = "rgb24",
    size: tuple[int, int] | None = None,
    rate: str = str(FPS),
) -> None:
    """Write a video of numbered images with `ffmpeg`.

    Args:
        path: the video.
        options: of the output.
        images: what it shows, all of one size.
        inputs: options of further inputs, which come after the images.
        pixels: FFmpeg's name of the pixel format of the images.
        size: (height, width) of the images, if they are given as joined planes.
        rate: frames per second.
    """
    shown = list(images)
    height, width = size or shown[0].shape[:2]
    source = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", rate, "-i", "-"]
    content = b"".join(image.tobytes() for image in shown)
    run_ffmpeg(*source, *inputs, *options, "-fflags", "+bitexact", f"file:{path}", content=content)


def encoded(*options: str, draw: Drawing = numbered_images, **settings: object) -> Callable[[Path], None]:
    """Return a `build` that calls `encode` with these options, and draws the images only then."""
    return lambda path: encode(path, *options, images=draw(), **settings)  # type: ignore[arg-type]


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
