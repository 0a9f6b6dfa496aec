"""Where answers are printed."""

from __future__ import annotations

import io
import sys
from typing import TextIO


def forgiving_stdout() -> TextIO:
    """Standard output that can print every file name; to be taken before a progress bar takes its place."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return sys.stdout
