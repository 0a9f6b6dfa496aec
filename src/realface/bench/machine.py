"""Description of the machine on which a benchmark ran."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from realface.core.provenance import checkout_commit, package_versions

PROCESSOR_FILE = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, threads, GPUs, system, packages and commit, without names of host or user."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": package_versions(),
        "commit": checkout_commit(),
    }


def processor_name(processor_file: Path = PROCESSOR_FILE) -> str:
    """Return the name of the processor, from the file that Linux provides, or else from Python's `platform`."""
    if processor_file.is_file():
        for line in processor_file.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def load_average() -> float | None:
    """Return the average number of processes that needed a core in the last minute; None if the system has no count."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
