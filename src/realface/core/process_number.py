"""Which of several processes this is, before they are connected."""

from __future__ import annotations

import os
import sys

VARIABLES = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Where torchrun, SLURM and our own launch say it."""


def process_number() -> int:
    """From 0; also 0 where nobody started several."""
    return int(next(filter(None, map(os.environ.get, VARIABLES)), "0"))


def warn_once(text: str) -> None:
    """Write a line to stderr from the first process only, since all processes find the same.

    Args:
        text: begins with its kind, such as `warning: `.
    """
    if process_number() == 0:
        print(f"realface: {text}", file=sys.stderr)
