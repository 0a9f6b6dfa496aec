"""Damaged videos of all kinds give frames or a MediaError: no crash, no hang, and nothing on stderr."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ffmpeg_oracle import missing_encoders
from video_matrix import CASES

SEED = 12
LIMIT_S = 30  # for one file; SIGALRM ends the process, even inside a decoder that hangs
ORIGINALS = [
    "h264-bframes-mp4",
    "h264-bframes-mkv",
    "mpeg2-top-first-ps",
    "h264-fragmented-mp4",
    "h264-bframes-ts",
    "h264-bframes-avi",
    "vp8-alpha-webm",
    "vp9-alt-ref-webm",
    "hevc-pq-mp4",
    "mpeg4-packed-bframes-avi",
    "qtrle-alpha-mov",
    "mpeg2-mxf",
    "wmv2-wmv",
    "h264-flv",
    "h264-field-pictures-mts",
]
READ_ALL = f"""
import signal
import sys
from pathlib import Path

from realface.core.errors import MediaError
from realface.media.opening import open_media

for name in sys.argv[1:]:
    print(name, flush=True)
    signal.alarm({LIMIT_S})
    try:
        print(sum(1 for _ in open_media(Path(name)).frames(4)), "frames", flush=True)
    except MediaError as error:
        print(f"MediaError: {{error}}", flush=True)
signal.alarm(0)
"""


def mutated(content: bytes, generator: np.random.Generator) -> bytes:
    """Return the bytes with flipped bits, an overwritten part, or without their end."""
    kind = generator.choice(["bits", "bits of the header", "zeros", "noise", "cut"])
    size = len(content)
    changed = bytearray(content)
    if kind == "cut":
        return content[: int(generator.integers(1, size))]
    if kind in {"zeros", "noise"}:
        length = int(generator.integers(1, max(2, size // 4)))
        start = int(generator.integers(0, size - length + 1))
        changed[start : start + length] = bytes(length) if kind == "zeros" else generator.bytes(length)
        return bytes(changed)
    reach = min(size, 1024) if kind == "bits of the header" else size
    for position in generator.integers(0, reach, size=int(generator.integers(1, 33))):
        changed[position] ^= 1 << int(generator.integers(0, 8))
    return bytes(changed)


def written_mutations(folder: Path, count: int, originals: list[str]) -> list[Path]:
    """Write this many damaged copies of the videos in turn."""
    missing = missing_encoders(*sorted({encoder for name in originals for encoder in CASES[name].encoders}))
    if missing:
        pytest.skip(missing)
    contents = {}
    for name in originals:
        path = folder / CASES[name].file
        CASES[name].build(path)
        contents[name] = path.read_bytes()
    generator = np.random.default_rng(SEED)
    paths = []
    for number in range(count):
        name = originals[number % len(originals)]
        path = folder / f"{number} {name}{Path(CASES[name].file).suffix}"
        path.write_bytes(mutated(contents[name], generator))
        paths.append(path)
    return paths


def check_mutations(folder: Path, count: int, originals: list[str]) -> None:
    paths = written_mutations(folder, count, originals)
    command = [sys.executable, "-c", READ_ALL, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S * count, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"exit code {done.returncode} after {lines[-1:]}\n{done.stderr[-2000:]}"
    assert done.stderr == ""
    assert lines[::2] == [str(path) for path in paths]
    for path, answer in zip(paths, lines[1::2], strict=True):
        assert answer.endswith(" frames") or answer.startswith(f"MediaError: {path} ")
    assert any(answer == "4 frames" for answer in lines[1::2])


def test_mutated_videos_are_read_or_refused(tmp_path: Path):
    check_mutations(tmp_path, 6, ORIGINALS[:3])


@pytest.mark.long
def test_sixty_mutated_videos_are_read_or_refused(tmp_path: Path):
    check_mutations(tmp_path, 60, ORIGINALS)
