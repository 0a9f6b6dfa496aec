"""Comparison of two commits in reading evenly spread frames of several kinds of videos."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from realface.bench import decode_probe
from realface.bench.comparison import Case, Comparison, Measurement
from realface.bench.decode_bench import THREADS, DecodeSize, grainy_frames
from realface.bench.process_cost import ProcessCost
from realface.core.errors import MediaError
from realface.media.discovery import find_media
from realface.media.opening import open_media

READS = 3
"""Number of timed readings in each process, after one reading that is not timed."""


@dataclass(frozen=True)
class Encoder:
    """An encoder of FFmpeg.

    Attributes:
        codec: name of the codec in FFmpeg.
        options: options of the encoder.
    """

    codec: str
    options: dict[str, str]


KINDS: dict[str, Encoder | None] = {
    "h264.mp4": Encoder("libx264", {"crf": "23"}),
    "h264.mkv": None,
    "h264.ts": None,
    "interlaced.ts": Encoder("libx264", {"crf": "23", "flags": "+ildct+ilme", "x264-params": "tff=1"}),
    "mpeg4.avi": Encoder("mpeg4", {"b": "4M", "bf": "2"}),  # AVI stores no presentation times
    "vp8.webm": Encoder("libvpx", {"b": "3M", "cpu-used": "5"}),
}
"""Encoder of each clip by file name; None copies the stream of `h264.mp4`."""


def compare_decoding(
    folder: Path, *, videos: Path | None = None, size: DecodeSize | None = None, reads: int = READS
) -> Comparison:
    """Prepare reading of each kind of clip, or of a folder of videos, with one thread and with all.

    Args:
        folder: an existing folder, in which the clips are written.
        videos: a folder of real videos, read in sequence, instead of the clips.
        size: size of the clips, and number of frames of each video.
        reads: number of readings that are timed in each process.

    Raises:
        MissingInputError: no such folder.
        MediaError: the folder contains no video that can be read ("empty folder").
    """
    size = size or DecodeSize()
    inputs: dict[str, object] = {"num_frames": size.num_frames}
    if videos is None:
        clips = write_clips(folder, size)
        files = {path.name: [path] for path in clips}
        inputs |= {"clip": asdict(size.clip), "bytes": {path.name: path.stat().st_size for path in clips}}
    else:
        found = _readable_videos(videos)
        files = {"videos": found}
        inputs |= {"num_videos": len(found), "bytes": sum(path.stat().st_size for path in found)}
    listings = {name: _write_listing(folder / f"{name}.json", paths) for name, paths in files.items()}
    cases = {
        f"{name}, {threads} thread{'s' * (threads != '1')}": _case(listing, size.num_frames, count, reads)
        for name, listing in listings.items()
        for threads, count in THREADS.items()
    }
    return Comparison("reading evenly spread frames of a video", unit="frames", cases=cases, inputs=inputs)


def write_clips(folder: Path, size: DecodeSize) -> list[Path]:
    """Write the same grainy frames as each kind of clip, and return the files."""
    encoded = {folder / name: encoder for name, encoder in KINDS.items() if encoder is not None}
    _encode(encoded, grainy_frames(size.clip), fps=size.clip.fps)
    for name, encoder in KINDS.items():
        if encoder is None:
            _copy_stream(folder / "h264.mp4", folder / name)
    return [folder / name for name in KINDS]


def _encode(files: dict[Path, Encoder], images: Iterable[NDArray[np.uint8]], *, fps: int) -> None:
    """Encode (H, W, 3) images with each codec, all at once: making the images takes longer than encoding them."""
    with ExitStack() as stack:
        outputs: list[tuple[av.container.OutputContainer, VideoStream]] = []
        for number, image in enumerate(images):
            if not outputs:
                for path, encoder in files.items():
                    container = stack.enter_context(av.open(f"file:{path}", "w"))
                    stream = container.add_stream(encoder.codec, rate=fps, options=encoder.options)
                    assert isinstance(stream, VideoStream)
                    stream.height, stream.width = image.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    outputs.append((container, stream))
            frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            for container, stream in outputs:
                frame.pts, frame.time_base = number, Fraction(1, fps)  # each encoder changes both
                container.mux(stream.encode(frame))
        for container, stream in outputs:
            container.mux(stream.encode(None))


def _copy_stream(source: Path, target: Path) -> None:
    """Write the packets of a video into another container."""
    with av.open(f"file:{source}") as opened, av.open(f"file:{target}", "w") as container:
        stream = container.add_stream_from_template(opened.streams.video[0])
        for packet in opened.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)


def _readable_videos(folder: Path) -> list[Path]:
    """Return the videos in a folder that this tree can read."""
    found = []
    for path in find_media([folder]):
        try:
            if open_media(path).kind == "video":
                found.append(path.resolve())
        except MediaError:
            continue
    if not found:
        raise MediaError(
            f"{folder} contains no video that can be read", reason="empty folder", hint="give another folder"
        )
    return found


def _write_listing(path: Path, files: Sequence[Path]) -> Path:
    path.write_text(json.dumps([str(file) for file in files]), encoding="utf-8")
    return path


def _case(listing: Path, count: int, threads: int, reads: int) -> Case:
    program = [decode_probe.__file__, str(listing), str(count), str(threads), str(reads)]
    return Case(arguments=lambda _out: program, measure=_measure)


def _measure(cost: ProcessCost, _out: Path) -> Measurement:
    """Keep the probe's own seconds: Python's start and imports would swamp the reading."""
    timed = json.loads(cost.output.splitlines()[-1])
    return Measurement(
        wall_s=statistics.median(timed["wall_s"]),
        cpu_s=statistics.median(timed["cpu_s"]),
        peak_bytes=cost.peak_bytes,
        count=timed["count"],
    )
