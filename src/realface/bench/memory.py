"""Memory of this process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS_FILE = Path("/proc/self/status")
MAPPINGS_FILE = Path("/proc/self/smaps_rollup")


def peak_resident_bytes(status_file: Path = STATUS_FILE) -> int:
    """Return the peak resident memory of this process since its start, in bytes."""
    # on Linux a new process starts with its parent's ru_maxrss, so the status file is preferred
    if (peak := _kilobytes(status_file, "VmHWM")) is not None:
        return peak * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def private_bytes(mappings_file: Path = MAPPINGS_FILE) -> int | None:
    """Return the bytes that this process shares with no other; None if the system does not report them."""
    clean, dirty = (_kilobytes(mappings_file, name) for name in ("Private_Clean", "Private_Dirty"))
    return None if clean is None or dirty is None else (clean + dirty) * 1024


def _kilobytes(file: Path, name: str) -> int | None:
    """Return a value from a file of the system by name; None if the file or the name is missing."""
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0])
    return None
