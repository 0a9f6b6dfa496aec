"""Time reading evenly spread frames of videos, with the sources of any commit.

This file is run as a program, with either source tree on Python's path, so it must not import `realface.bench`:

    python decode_probe.py FILES.json COUNT THREADS READS

FILES.json is a list of paths. Each reading takes COUNT frames of every file with THREADS decoding threads (0 uses all
cores). READS readings are timed, after one reading that is not timed. The last line of the output is JSON: the wall and
CPU seconds of each reading, without Python's start and imports, and the number of frames of one reading.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

Read = Callable[[Path, int, int], Iterable[Any]]
"""Takes a file, a number of frames and a number of threads."""


def find_reader() -> Read:
    """Return the function that reads frames at this commit."""
    try:
        open_media = importlib.import_module("realface.media.opening").open_media
    except ModuleNotFoundError:  # commits before `open_media` was added
        spread_frames = importlib.import_module("realface.media.videos").spread_frames
        return lambda path, count, threads: spread_frames(path, count, threads=threads)
    return lambda path, count, threads: open_media(path, threads=threads).frames(count)


def time_reading(read: Read, files: list[Path], *, count: int, threads: int, reads: int) -> dict[str, Any]:
    """Return the seconds of each reading of all files, and the number of frames of the last one."""
    seconds: dict[str, list[float]] = {"wall_s": [], "cpu_s": []}
    num_frames = 0
    for number in range(1 + reads):
        wall, cpu = time.perf_counter(), time.process_time()
        num_frames = sum(1 for path in files for _ in read(path, count, threads))
        if number > 0:
            seconds["wall_s"].append(time.perf_counter() - wall)
            seconds["cpu_s"].append(time.process_time() - cpu)
    return {**seconds, "count": num_frames}


def main(files: str, count: str, threads: str, reads: str) -> None:
    """Time the reading and print the result."""
    with suppress(ImportError, AttributeError):
        importlib.import_module("realface.core.allocator").keep_freed_memory()  # as every command does
    paths = [Path(path) for path in json.loads(Path(files).read_text(encoding="utf-8"))]
    timed = time_reading(find_reader(), paths, count=int(count), threads=int(threads), reads=int(reads))
    print(json.dumps(timed))


if __name__ == "__main__":
    main(*sys.argv[1:])
