"""The provenance of a result: versions, commit, machine, command."""

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
    """Return the facts needed to repeat a run: package versions, commit of the checkout, machine, time and command.

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
    """Return the versions of the installed packages that affect numerical results."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def checkout_commit() -> str | None:
    """Return the commit of the checkout, with `-dirty` if it has changes; None if the package is installed."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return None
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # no git or no commit yet; the versions are still recorded
    return f"{commit}-dirty" if changed.stdout.strip() else commit
