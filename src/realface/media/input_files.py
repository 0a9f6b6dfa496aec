"""Checks of input files before they are decoded."""

from __future__ import annotations

import errno
from pathlib import Path

from realface.core.errors import MediaError
from realface.core.files import existing


def require_file(path: Path, *, what: str) -> Path:
    """Return `path` if it is a file that is not empty.

    Args:
        what: "picture" or "video", for the text of the error.

    Raises:
        MissingInputError: the file does not exist.
        MediaError: the path is a folder or a device ("not a file"), or the file is empty ("empty file").
    """
    existing(path, what=what)
    if not path.is_file():
        raise MediaError(f"{path} is not a file", reason="not a file", hint=f"give the path of one {what}")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes)", reason="empty file", hint="copy or download it again")
    return path


def unreadable(path: Path, error: OSError) -> MediaError:
    """Return the error for a file that the system does not allow to read.

    Args:
        path: unreadable file.
        error: error that the system raised.
    """
    if isinstance(error, PermissionError):
        text = f"{path} may not be read; change its permissions"
    elif has_too_many_files(error):
        text = f"cannot read {path}: too many open files; raise the limit with `ulimit -n 4096`"
    else:
        text = f"{path} cannot be read: {error.strerror or error}"
    return MediaError(text, reason="unreadable")


def has_too_many_files(error: BaseException | None) -> bool:
    """Return whether the process or the system may open no more files."""
    return isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}
