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
    """Lock a folder against other processes until the block or this process ends.

    A job that a cluster restarts may overlap with its predecessor. The operating system releases the lock of a killed
    process. The lock file stays, because removing it would let two processes in. Workers that decode crops outlive a
    killed process by seconds; they do not inherit the lock. A file system without locks causes a warning only. On
    Windows no lock is used.

    Args:
        folder: an existing folder.

    Raises:
        OutputExistsError: another process is writing to the folder.
    """
    if sys.platform == "win32":
        yield
        return
    with (folder / LOCK_NAME).open("a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # the system decides which error is raised
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
