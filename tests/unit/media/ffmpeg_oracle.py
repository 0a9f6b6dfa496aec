"""What the `ffmpeg` and `ffprobe` commands say about a video: an oracle that shares no code with `realface`."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@functools.cache
def missing_encoders(*names: str) -> str:
    """Return what is missing to make a file with these encoders, or "" if nothing is."""
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        return "the commands ffmpeg and ffprobe are not installed"
    missing = [name for name in names if name not in _encoders()]
    return f"this ffmpeg has no encoder {', '.join(missing)}" if missing else ""


@functools.cache
def _encoders() -> frozenset[str]:
    lines = _run("ffmpeg", "-hide_banner", "-encoders").decode().splitlines()
    return frozenset(line.split()[1] for line in lines if len(line.split()) > 1)


def run_ffmpeg(*arguments: str, content: bytes = b"") -> bytes:
    """Run `ffmpeg` with `content` on standard input, and return its standard output."""
    return _run("ffmpeg", "-v", "error", "-y", *arguments, content=content)


def _run(*command: str, content: bytes = b"") -> bytes:
    done = subprocess.run(command, input=content, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-2000:]}"
    return done.stdout


def probe_frames(path: Path, *, stream: int) -> list[dict[str, object]]:
    """Return ffprobe's entry of each frame of a stream, in the order in which it decodes them."""
    command = ["ffprobe", "-v", "error", "-select_streams", str(stream), "-show_frames", "-of", "json", f"file:{path}"]
    return list(json.loads(_run(*command))["frames"])


def probe_times(path: Path, *, stream: int) -> list[float] | None:
    """Return the seconds of each frame after the first one, or None if a frame has no time stamp."""
    stamps = [frame.get("pts_time") for frame in probe_frames(path, stream=stream)]
    if None in stamps or not stamps:
        return None
    times = [float(str(stamp)) for stamp in stamps]
    return [time - times[0] for time in times]


def decode(
    path: Path, sizes: list[tuple[int, int]], *, stream: int, filters: str = "", decoder: str = ""
) -> list[NDArray[np.uint8]]:
    """Return the RGB frames of a stream, upright, as `ffmpeg` decodes them; alpha is shown over white.

    Args:
        path: the video.
        sizes: expected (height, width) of each frame; the last one holds for all further frames.
        stream: index of the stream in the file.
        filters: what a player does that `ffmpeg` does only when asked, such as "bwdif".
        decoder: FFmpeg's name of the decoder; its default one if empty.
    """
    content = run_ffmpeg(
        *(["-c:v", decoder] if decoder else []),
        *["-i", f"file:{path}", "-map", f"0:{stream}", "-vsync", "passthrough", "-autoscale", "0"],
        *(["-vf", filters] if filters else []),
        *["-f", "rawvideo", "-pix_fmt", "rgba", "-"],
    )
    frames = []
    at = 0
    while at < len(content):
        height, width = sizes[min(len(frames), len(sizes) - 1)]
        size = height * width * 4
        assert at + size <= len(content), f"ffmpeg gave frames of another size than {width} x {height}"
        rgba = np.frombuffer(content, np.uint8, size, at).reshape(height, width, 4).astype(np.float32)
        alpha = rgba[..., 3:] / 255
        frames.append(np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))
        at += size
    return frames
