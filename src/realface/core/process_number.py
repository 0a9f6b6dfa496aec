"""The number (rank) of this process, before the processes of a job are connected."""

from __future__ import annotations

import os
import sys

VARIABLES = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Environment variables in which torchrun, SLURM and our own launcher store the number."""


def process_number() -> int:
    """Return the number of this process, from 0; 0 for a single process."""
    return int(next(filter(None, map(os.environ.get, VARIABLES)), "0"))


def warn_once(text: str) -> None:
    """Write a line to stderr from the first process only, because all processes would write the same line.

    Args:
        text: the message, with its kind first, such as `warning: `.
    """
    if process_number() == 0:
        print(f"realface: {text}", file=sys.stderr)
