"""A folder that is being written is for one process at a time."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realface.core.errors import OutputExistsError

if sys.platform != "win32":
    import fcntl

LOCK_NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder, as long as this block or this process lasts.

    A job that a cluster starts again may overlap the one that is still dying. The lock is the operating system's, so
    that a killed process leaves none; its file stays, because to remove it would let two in. The workers that decode
    crops, which outlive a killed process by seconds, do not hold it. On a file system without locks a warning takes its
    place; Windows has no such lock, and none is taken.

    Args:
        folder: an existing one.

    Raises:
        OutputExistsError: another process is writing there.
    """
    if sys.platform == "win32":
        yield
        return
    with (folder / LOCK_NAME).open("a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # which of the two depends on the system
            file.seek(0)
            raise OutputExistsError(
                f"another process is writing in {folder} ({file.read().strip() or 'it has not said which'})",
                hint="stop it, or wait until it has ended",
            ) from error
        except OSError as error:
            print(
                f"realface: warning: {folder} cannot be locked ({error}); let no other process write there",
                file=sys.stderr,
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}\n")
        file.flush()
        yield
