"""Reading batches ahead in worker processes, so that the caller never waits for a worker that failed."""

from __future__ import annotations

import atexit
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

import torch
from torch._C import _remove_worker_pids
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info
from torch.utils.data.dataloader import _BaseDataLoaderIter

from realface.core.errors import LoadingError, RealfaceError
from realface.core.process_number import warn_once
from realface.core.worker_limits import ADVICE_NO_WORKERS, allowed_workers
from realface.data.batch_slots import BatchSlots, PackedBatch, pack
from realface.data.dataset import init_worker

POLL_S = 1.0
"""Seconds between two checks of the workers while a batch is awaited.

Limits count checks and not seconds, so that time in which the whole process was suspended does not count.
"""
LOOKS_UNTIL_TOLD = 60
"""Number of checks until a line on stderr reports slow storage."""
LOOKS_UNTIL_LOST = 60
"""A batch that a worker had ready so long ago was lost on its way."""
LOOKS_UNTIL_STUCK = 1800
"""A batch that is not read in half an hour never will be: network storage that fails over answers within minutes."""
END_S = 0.1
"""Seconds that workers get to end by themselves before they are killed."""
KILL_S = 2.0
"""Seconds to wait for a killed worker, which a hanging disk can keep alive."""
START_METHOD = "fork" if sys.platform == "linux" else None
"""Forked workers inherit the crops' paths and the slots; elsewhere torch's default, and batches go through pipes."""
SENDING_ERRORS = (pickle.PickleError, OSError, MemoryError, AttributeError, TypeError, ValueError, RuntimeError)
"""Errors of pickle and of the shared memory for objects that cannot be sent."""
ADVICE_FEWER = f"use fewer workers, or {ADVICE_NO_WORKERS}"
ADVICE_MEMORY = "if memory ran out, set a smaller data.workers in a recipe, or a smaller --workers"

K = TypeVar("K")
B = TypeVar("B")


@dataclass(frozen=True)
class ItemReader(Generic[K, B]):
    """Reads the items of a batch and joins them.

    Attributes:
        dataset: gives the item of a key.
        join: the items of a batch -> the batch.
    """

    dataset: Dataset[Any]
    join: Callable[[list[Any]], B]

    def __call__(self, keys: Sequence[K]) -> B:
        """Return the batch of these keys."""
        return self.join([self.dataset[key] for key in keys])


def load_batches(
    read: Callable[[Sequence[K]], B],
    batches: Iterable[Sequence[K]],
    *,
    workers: int,
    batch_bytes: int,
    prefetch: int = 2,
    pin_memory: bool = False,
    num_loaders: int = 1,
) -> Iterator[B]:
    """Read batches in order, in advance in worker processes. The batches do not depend on the workers.

    Args:
        read: keys of a batch -> the batch, called in a worker.
        batches: keys of each batch.
        workers: number of worker processes; 0 reads in this process. Fewer start if the machine's limits require it.
        batch_bytes: expected size of a batch's arrays, in bytes. Larger batches are possible, but slower to send.
        prefetch: number of batches that each worker reads in advance.
        pin_memory: whether to put batches into page-locked memory; they then need a method `pin_memory`.
        num_loaders: number of loaders, this loader included, that will be open at the same time.

    Raises:
        LoadingError: workers cannot start; one ended; a batch cannot be sent, or does not come within half an hour.
    """
    if workers:
        workers = allowed_workers(workers, num_loaders=num_loaders)
    slots = None
    if workers and START_METHOD == "fork":
        slots = BatchSlots(num_slots=workers * prefetch + 1, slot_bytes=batch_bytes)
    loader = DataLoader(
        _BatchReader(read, slots),
        batch_sampler=_Numbered(batches),
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        multiprocessing_context=START_METHOD if workers else None,
        collate_fn=_unchanged,
        pin_memory=pin_memory,
        worker_init_fn=init_worker,
        timeout=POLL_S if workers else 0,
        generator=torch.Generator(),  # its own, else the loader draws from the global one and changes training
    )
    if not workers:
        yield from loader
        return
    with _started(loader, slots) as (iterator, processes):
        for number in count():
            batch = _next(iterator, number, slots, processes)
            if batch is None:
                return
            if isinstance(batch, _Failure):
                raise LoadingError(batch.text, hint=batch.hint)
            yield batch.unpack() if isinstance(batch, PackedBatch) else batch


@dataclass(frozen=True)
class _Failure:
    """The error of a batch that a worker could not read or send."""

    text: str
    hint: str = ""


class _Numbered(Sampler[Any]):
    """The keys of each batch, with the batch's number."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return iter(enumerate(self._batches))


class _BatchReader(Dataset[Any]):
    """Reads a whole batch at a time, and packs it if it is to leave the process."""

    def __init__(self, read: Callable[[Any], Any], slots: BatchSlots | None) -> None:
        self._read, self._slots = read, slots

    def __getitems__(self, numbered: tuple[int, Any]) -> Any:
        number, keys = numbered
        if get_worker_info() is None:
            return self._read(keys)
        if self._slots is not None:
            self._slots.end_if_stopped()
        try:
            batch = self._read(keys)
        except RealfaceError as error:  # else torch would bury it in a traceback
            return _Failure(error.text, error.hint)
        except (OSError, MemoryError) as error:
            return _Failure(
                f"a worker process could not read a batch ({_in_words(error)})", "check the machine's limits"
            )
        try:
            return pack(batch, number, self._slots)
        except SENDING_ERRORS as error:
            return _Failure(f"a worker process could not send a batch ({_in_words(error)})", ADVICE_FEWER)


def _unchanged(batch: Any) -> Any:
    return batch


@contextmanager
def _started(
    loader: DataLoader[Any], slots: BatchSlots | None
) -> Iterator[tuple[Iterator[Any], Sequence[BaseProcess]]]:
    """Start the workers of a loader and end them with the block."""
    others = set(active_children())
    workers: list[BaseProcess] = []
    end = partial(_end, workers, slots)
    atexit.register(end)  # a program may keep batches it did not read; Python would wait at its end for the workers
    try:
        try:
            with _same_sigchld_handler():
                iterator = iter(loader)
        except (OSError, RuntimeError) as error:
            _drop_frames(error)
            raise LoadingError(f"worker processes cannot start ({_in_words(error)})", hint=ADVICE_FEWER) from error
        except BaseException as error:  # a signal's
            if (half_made := _half_made(error)) is not None:
                _leave_alone(half_made)
            raise
        finally:
            workers += [process for process in active_children() if process not in others]
        try:
            yield iterator, workers
        finally:
            _leave_alone(iterator)
    finally:
        atexit.unregister(end)
        end()


def _leave_alone(iterator: Any) -> None:
    """Prevent torch from communicating with the workers when its iterator is deleted.

    A signal that interrupts a queue can leave the queue locked, and torch would wait for the lock forever. The workers
    are ended here, so torch only has to forget their process ids: it stores them under the iterator's address, at which
    the next iterator may be created.
    """
    for queue in getattr(iterator, "_index_queues", ()):  # missing if its start was interrupted
        queue.cancel_join_thread()  # else Python would wait at its end for the queue to be emptied
        if queue._close is not None:
            queue._close.cancel()  # else the queue would take the lock when it is deleted
    if (done := getattr(iterator, "_pin_memory_thread_done_event", None)) is not None:
        done.set()
    if getattr(iterator, "_worker_pids_set", False):
        _remove_worker_pids(id(iterator))
        iterator._worker_pids_set = False
    iterator._shutdown = True


def _half_made(error: BaseException) -> Any:
    """Return the iterator that torch was creating when a signal interrupted it, or None."""
    traceback = error.__traceback__
    while traceback is not None:
        made = traceback.tb_frame.f_locals.get("self")
        if isinstance(made, _BaseDataLoaderIter):
            return made
        traceback = traceback.tb_next
    return None


def _drop_frames(error: BaseException) -> None:
    """Release torch's incomplete iterator and silence its `__del__`, which fails like its `__init__`."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        error.__traceback__ = None
    finally:
        sys.unraisablehook = hook


@contextmanager
def _same_sigchld_handler() -> Iterator[None]:
    """Restore the handler of SIGCHLD; torch's handler raises at any point of this process when a worker dies.

    A dead worker is noticed when the next batch is awaited: no training step is then incomplete, and the state can be
    saved.
    """
    before = signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None
    is_changeable = before is not None and threading.current_thread() is threading.main_thread()
    try:
        yield
    finally:
        if is_changeable:
            signal.signal(signal.SIGCHLD, before)


def _end(workers: Sequence[BaseProcess], slots: BatchSlots | None) -> None:
    """End the workers; idle workers end themselves, so that they do not die with a lock that torch needs."""
    with _same_sigchld_handler():
        if hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # another loader may have set torch's handler
        if slots is not None:
            slots.stop()
        _join(workers, END_S)
        for worker in workers:
            worker.kill()  # they ignore SIGTERM, and may be inside a read that never returns
        _join(workers, KILL_S)


def _join(workers: Sequence[BaseProcess], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))


def _next(iterator: Iterator[Any], number: int, slots: BatchSlots | None, workers: Sequence[BaseProcess]) -> Any:
    """Return the next message for a batch; None at the end.

    Raises:
        LoadingError: a worker ended, or the batch does not come.
    """
    num_lost = 0
    for looks in count(1):
        try:
            return next(iterator, None)
        except RuntimeError as error:
            if str(error).startswith("DataLoader worker"):
                raise LoadingError(_explain_worker_death(workers), hint=ADVICE_MEMORY) from error
            if not str(error).startswith("DataLoader timed out"):  # after a timeout, the iterator can be used again
                raise
        num_lost += slots is not None and slots.is_finished(number)
        if num_lost >= LOOKS_UNTIL_LOST:
            raise LoadingError("a batch that a worker process had ready did not arrive", hint=ADVICE_FEWER)
        if looks >= LOOKS_UNTIL_STUCK:
            raise LoadingError(
                f"no worker process could read the next batch for {looks * POLL_S / 60:.0f} minutes",
                hint="check that the storage with the crops answers",
            )
        if looks == LOOKS_UNTIL_TOLD:
            warn_once(
                f"note: no batch for {looks * POLL_S:.0f} s; the storage with the crops is slow or does not answer"
            )
    raise AssertionError


def _explain_worker_death(workers: Sequence[BaseProcess]) -> str:
    """Return the text of the error after a worker process ended."""
    code = next((worker.exitcode for worker in workers if worker.exitcode), None)
    if code is None:
        how = "ended unexpectedly"
    elif code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
    else:
        how = f"ended with code {code}"
    return f"a worker process that reads crops {how}"


def _in_words(error: BaseException) -> str:
    """Return the error in one line."""
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower() if error.filename is None else f"{error.filename}: {error.strerror.lower()}"
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
