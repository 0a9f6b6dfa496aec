"""Where a result came from: versions, commit, machine, command."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("realface", "torch", "torchvision", "timm", "lightning", "numpy", "opencv-python-headless", "av", "pyarrow")


def collect_provenance(**extra: Any) -> dict[str, Any]:
    """What must be known to repeat a run: package versions, commit of the checkout, machine, time and command.

    Args:
        extra: further JSON values, such as `seed` or the hashes of the manifests.

    Returns:
        A JSON-ready mapping.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "packages": package_versions(),
        "commit": checkout_commit(),
        "machine": {
            "host": platform.node(),
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
        **extra,
    }


def package_versions() -> dict[str, str]:
    """Versions of the packages on which numbers depend; those not installed are left out."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def checkout_commit() -> str | None:
    """The commit of the checkout that this package runs from, `-dirty` when it has changes; None when installed."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return None
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # no git here, or no commit yet: the versions above still tell
    return f"{commit}-dirty" if changed.stdout.strip() else commit
