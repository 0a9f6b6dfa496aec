"""The most memory that something takes, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

STATUS_FILE = Path("/proc/self/status")


def peak_memory_of(function: Callable[..., object], *arguments: Any) -> dict[str, int]:
    """Call a function in a new process, and see how much memory that process took.

    Args:
        function: of a module, so that the new process finds it.
        arguments: its arguments.

    Returns:
        Bytes: `resident`, with Python's and torch's own; `gpu`, what torch had allocated there at most.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_called, function, arguments).result()


def peak_resident_bytes(status_file: Path = STATUS_FILE) -> int:
    """The most memory that this process had at a time, since it started."""
    # on Linux a new process starts with its parent's ru_maxrss, so the peak of its own is read where the system tells
    if status_file.is_file():
        for line in status_file.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _called(function: Callable[..., object], arguments: tuple[Any, ...]) -> dict[str, int]:
    function(*arguments)
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return {"resident": peak_resident_bytes(), "gpu": gpu}
