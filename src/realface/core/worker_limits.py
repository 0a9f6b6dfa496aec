"""The number of worker processes that this machine allows, checked before workers start."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from realface.core.errors import LoadingError
from realface.core.process_number import warn_once

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (only its size is read)
OPEN_FILES = Path("/proc/self/fd")
SEMAPHORES_PER_WORKER = 3  # of its queue; each takes one page of shared memory
SEMAPHORES_OF_LOADER = 8  # of the queue of results and of an event
FILES_PER_WORKER = 4  # both ends of its queue, and of the pipe that signals its end
FILES_OF_LOADER = 16  # the queue of results, and files opened later: crops, checkpoints, logs
ADVICE_NO_WORKERS = "read without workers (data.workers=0 in a recipe, --workers 0)"


def allowed_workers(requested: int, *, num_loaders: int = 1) -> int:
    """Return how many worker processes can start; print a note on stderr, once, if they are fewer than requested.

    Batches do not count: a container's limit on shared memory does not apply to the memory that they use.

    Args:
        requested: number of workers per loader, >= 1.
        num_loaders: number of loaders that will be open at the same time.

    Raises:
        LoadingError: not even one worker can start. The text gives the needed and the free amount.
    """
    allowed = requested
    for limit in (_shared_memory(), _files()):
        if limit is not None:
            allowed = limit.allowed_workers(allowed, num_loaders)
    return allowed


@dataclass(frozen=True)
class _Limit:
    """The free amount of a resource that workers need.

    Attributes:
        free: number of free units.
        of_loader: number of units that a loader needs for any number of workers.
        of_worker: number of units that each worker needs.
        text: message, a format string with `free`, `requested` and `needed`.
        unit: factor for the numbers in the text.
        advice: the remedy.
    """

    free: int
    of_loader: int
    of_worker: int
    text: str
    unit: float
    advice: str

    def allowed_workers(self, requested: int, num_loaders: int) -> int:
        """Return how many of the workers can start, at least one."""
        allowed = min(requested, (self.free // num_loaders - self.of_loader) // self.of_worker)
        needed = num_loaders * (self.of_loader + self.of_worker * requested)
        found = self.text.format(free=self.free * self.unit, requested=requested, needed=needed * self.unit)
        if allowed < 1:
            raise LoadingError(found, hint=f"{self.advice}, or {ADVICE_NO_WORKERS}")
        if allowed < requested and self.advice not in _advised:
            _advised.add(self.advice)
            warn_once(f"note: {found}, so {allowed} will start; to use all, {self.advice}")
        return allowed


_advised: set[str] = set()  # advice that this process has printed


def _shared_memory() -> _Limit | None:
    free = free_shared_memory()
    if free is None:
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    return _Limit(
        free // page,
        SEMAPHORES_OF_LOADER,
        SEMAPHORES_PER_WORKER,
        f"{SHARED_MEMORY} has {{free:,.0f}} kB free and {{requested}} worker processes need {{needed:,.0f}} kB",
        page / 1000,
        "remove files from it, or start the container with `docker run --shm-size=1g`",
    )


def _files() -> _Limit | None:
    free = free_files()
    if free is None:
        return None
    return _Limit(
        max(0, free),
        FILES_OF_LOADER,
        FILES_PER_WORKER,
        "this process can open {free:.0f} more files and {requested} worker processes need {needed:.0f}",
        1,
        "raise the limit with `ulimit -n 4096`",
    )


def free_shared_memory() -> int | None:
    """Return the free bytes of the shared memory that semaphores use; None if the system has no such limit."""
    if sys.platform != "linux":
        return None
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize if found.f_blocks else None  # a mount without a limit has 0 blocks


def free_files() -> int | None:
    """Return how many more files this process may open; None if the system does not report it."""
    if sys.platform != "linux":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        return limit - len(list(OPEN_FILES.iterdir()))
    except OSError:  # without a free descriptor, the folder cannot be listed either; or there is no /proc
        return 0 if OPEN_FILES.is_dir() else None
