"""Print results to standard output."""

from __future__ import annotations

import io
import sys
from typing import TextIO


def forgiving_stdout() -> TextIO:
    """Return a standard output that can print every file name; call it before a progress bar replaces `sys.stdout`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return sys.stdout
