"""Show the details of errors (`--debug`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "REALFACE_DEBUG"
"""Environment variable that `--debug` sets, so that worker processes see it too."""


def is_debugging() -> bool:
    """Return True if `--debug` was passed or the environment variable is set."""
    return bool(os.environ.get(VARIABLE))


@contextmanager
def debugging(asked: bool) -> Iterator[None]:
    """Set the environment variable during the block if `asked`; otherwise do not change it."""
    before = os.environ.get(VARIABLE)
    if asked:
        os.environ[VARIABLE] = "1"
    try:
        yield
    finally:
        if asked and before is None:
            del os.environ[VARIABLE]
