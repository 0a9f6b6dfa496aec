"""Messages of the libraries that decode images and videos."""

from __future__ import annotations

import ctypes
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache

from PIL import _imaging

from realface.core.debugging import is_debugging


@cache
def set_library_messages() -> None:
    """Keep messages of libtiff, Pillow and FFmpeg off the terminal, or show them when debugging.

    Reports about a damaged file are raised as exceptions as well. The function takes effect once per process. Error
    output is not redirected, so progress bars and other threads are not affected.
    """
    if is_debugging():
        import av.logging  # PyAV is silent by default

        av.logging.restore_default_callback()
        av.logging.set_libav_level(av.logging.WARNING)
        return
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # without a handler, Python prints warnings
    with suppress(OSError, AttributeError):  # a build of Pillow that contains libtiff without exporting its functions
        # finds libtiff among the libraries that Pillow's extension is linked to, wherever that file is
        extension = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            set_handler = getattr(extension, name)
            set_handler.argtypes = [ctypes.c_void_p]
            set_handler.restype = ctypes.c_void_p
            set_handler(None)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Ignore Python warnings in the block, such as Pillow's about damaged metadata, unless debugging."""
    with nullcontext() if is_debugging() else warnings.catch_warnings():
        if not is_debugging():
            warnings.simplefilter("ignore")
        yield
