"""How the C library keeps memory that was freed."""

from __future__ import annotations

import ctypes
import sys

# glibc's <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Let this process, and those it forks, use freed memory again instead of giving it back to the system each time.

    glibc fetches every large block anew and gives it back at once, and the system clears each page again. A network
    computes with such blocks: on two CPU cores that took up to two thirds of the time. A process then keeps the
    most memory that it ever had, so this is for commands and not for libraries.

    Returns:
        Whether it took effect; other C libraries than glibc are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    never_trimmed, never_mapped = mallopt(M_TRIM_THRESHOLD, -1), mallopt(M_MMAP_MAX, 0)
    return bool(never_trimmed and never_mapped)
