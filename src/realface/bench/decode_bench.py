"""Reading 32 frames of a video with few key frames, compared with decoding all frames and with one seek per frame."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from realface.bench.clip import ClipSize, portrait_frames
from realface.bench.interleaved import Variant, VariantTiming, time_interleaved
from realface.bench.timing_stats import format_stats, summarise
from realface.core.progress import progress
from realface.media.frames import spread_indices
from realface.media.opening import open_media
from realface.media.video_writing import write_video

THREADS = {"1": 1, "all": 0}
"""Number of decoding threads by the name in the result; with 0, FFmpeg uses all cores."""
GRAIN = 3.0
"""Standard deviation of the noise, in grey levels (0 to 255). It gives a video of about 3 Mbit/s, typical of 720p on
the web. Without noise, most of a frame would be copied from the previous frame, which takes almost no time."""
SEQUENTIAL = "sequential"


@dataclass(frozen=True)
class DecodeSize:
    """Size of the video and number of frames that are read.

    Attributes:
        clip: the video; x264 writes a key frame every 250 frames, unless the scene changes.
        num_frames: number of frames that are read.
    """

    clip: ClipSize = field(default_factory=lambda: ClipSize(fps=30))
    num_frames: int = 32


def bench_decode(*, repeats: int = 5, size: DecodeSize | None = None, quiet: bool = False) -> dict[str, Any]:
    """Compare reading evenly spread frames of a generated video with decoding all frames in order.

    Each variant runs in a separate process. The variants are interleaved, so other load on the machine affects all
    variants, and each round produces one ratio. The sequential variant does not convert frames to RGB.

    Args:
        repeats: number of rounds.
        size: size of the video and number of frames; 32 of 300 frames of 1280 x 720 pixels by default.
        quiet: show no progress.

    Returns:
        JSON-ready: seconds, and seconds relative to the sequential variant, as median, minimum and maximum.
    """
    size = size or DecodeSize()
    timings = {}
    with tempfile.TemporaryDirectory() as temporary:
        video = Path(temporary, "clip.mp4")
        write_video(video, grainy_frames(size.clip), fps=size.clip.fps)
        with progress("bench decode", repeats * len(THREADS), unit="rounds", quiet=quiet) as bar:
            for name, threads in THREADS.items():
                variants = {
                    SEQUENTIAL: Variant(sequential, (video, threads)),
                    "spread": Variant(evenly_spread, (video, size.num_frames, threads)),
                    "seeking": Variant(seeking, (video, size.num_frames, threads)),
                }
                timings[name] = _summary(time_interleaved(variants, repeats=repeats, advance=bar.advance))
        return {
            "clip": asdict(size.clip),
            "megabits_per_s": video.stat().st_size * 8 / 1e6 / size.clip.duration_s,
            "key_frames": key_frames(video),
            "num_frames": size.num_frames,
            "threads": timings,
        }


def decode_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_decode` as lines of text."""
    clip = result["clip"]
    lines = [
        f"  {result['num_frames']} frames of {clip['duration_s']:g} s of {clip['width']} x {clip['height']} at "
        f"{clip['fps']} frames/s, {result['megabits_per_s']:.1f} Mbit/s, {len(result['key_frames'])} key frames"
    ]
    for threads, variants in result["threads"].items():
        lines.append(f"  threads: {threads}; seconds, and as a multiple of one sequential decode")
        lines += [
            f"    {name:<12}{format_stats(variant['seconds'], '7.3f')}  "
            f"{format_stats(variant['times_sequential'], '6.2f')}"
            for name, variant in variants.items()
        ]
    return lines


def grainy_frames(size: ClipSize) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of the moving portrait with new noise in every frame, like that of a camera.

    Yields:
        (height, width, 3) RGB.
    """
    generator = np.random.default_rng(0)
    sheet = cv2.GaussianBlur(generator.normal(0, 1, (2 * size.height, 2 * size.width)), (0, 0), 0.8)
    grain = np.rint(sheet * (GRAIN / sheet.std())).astype(np.int16)
    for frame in portrait_frames(size):
        top, left = generator.integers(0, (size.height, size.width))
        moved = grain[top : top + size.height, left : left + size.width, None]
        yield (frame + moved).clip(0, 255).astype(np.uint8)


def sequential(video: Path, threads: int) -> Callable[[], object]:
    """Return a function that decodes every frame in order, with PyAV only."""

    def decode() -> None:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads
            for _ in container.decode(stream):
                pass

    return decode


def evenly_spread(video: Path, count: int, threads: int) -> Callable[[], list[NDArray[np.uint8]]]:
    """Return a function that reads frames like `prepare` and `detect`."""
    return lambda: [frame.image for frame in open_media(video, threads=threads).frames(count)]


def seeking(video: Path, count: int, threads: int) -> Callable[[], list[NDArray[np.uint8]]]:
    """Return a function that reads the same frames. For each it seeks to the last key frame, and decodes on."""
    info = open_media(video).info()

    def read() -> list[NDArray[np.uint8]]:
        images = []
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads
            for index in spread_indices(info.num_frames, count):
                wanted = round(index / (info.fps * stream.time_base))
                container.seek(wanted, stream=stream)
                frame = next(frame for frame in container.decode(stream) if (frame.pts or 0) >= wanted)
                images.append(np.asarray(frame.to_ndarray(format="rgb24", threads=1), dtype=np.uint8))
        return images

    return read


def key_frames(video: Path) -> list[int]:
    """Return the numbers of the key frames, in the order of storage."""
    with av.open(str(video)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    return [index for index, packet in enumerate(packets) if packet.is_keyframe]


def _summary(timed: Mapping[str, VariantTiming]) -> dict[str, Any]:
    compared = timed[SEQUENTIAL].seconds
    return {
        name: {
            "seconds": summarise(variant.seconds),
            "times_sequential": summarise([own / other for own, other in zip(variant.seconds, compared, strict=True)]),
        }
        for name, variant in timed.items()
    }
