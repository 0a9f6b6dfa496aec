"""Doing many tasks: in this process, in several, or on a cluster. All do the same with each."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread

from realface.core.errors import RealfaceError
from realface.faces.finders import finder_for
from realface.prepare.crop_copies import copy_crops
from realface.prepare.item import prepare_item
from realface.prepare.record import ItemRecord, Task
from realface.prepare.workplace import Workplace

Done = Iterator[tuple[int, ItemRecord]]
"""The number of each item with its record, in whatever order they are finished."""

QUEUED_PER_WORKER = 4  # tasks that wait: enough that nobody idles, and a million tasks are not all held at once


def work_of(place: Workplace) -> Callable[[Task], ItemRecord]:
    """What is done with each task; one per process, since a finder loads its weights on first use."""
    if place.are_crops:
        return partial(copy_crops, place=place)
    return partial(prepare_item, place=place, finder=finder_for(place.spec, file=place.finder_file))


def do_here(tasks: Iterable[Task], place: Workplace) -> Done:
    """Do the tasks in this process."""
    work = work_of(place)
    for task in tasks:
        yield task.index, work(task)


def do_in_processes(tasks: Iterable[Task], place: Workplace, *, workers: int) -> Done:
    """Do the tasks in processes of one thread each.

    Raises:
        RealfaceError: a worker was killed.
    """
    place = replace(place, threads=1)
    rest = iter(tasks)
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(place,)) as pool:
        running: dict[Future[ItemRecord], int] = {}
        try:
            while True:
                for task in islice(rest, workers * QUEUED_PER_WORKER - len(running)):
                    running[pool.submit(_work, task)] = task.index
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            raise RealfaceError(
                "a worker process was killed, perhaps for lack of memory; the finished files are kept: "
                "run the same command again, with fewer --workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def num_workers(asked: int | None) -> int:
    """As asked, or one for each core."""
    return (os.cpu_count() or 1) if asked is None else asked


_work_here: Callable[[Task], ItemRecord]  # of a worker process, set when it starts


def _start_worker(place: Workplace) -> None:
    global _work_here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the pool
    Thread(target=_end_with_parent, daemon=True).start()
    use_one_thread()
    _work_here = work_of(place)


def _end_with_parent() -> None:
    """Leave no worker behind that writes crops while the next run does, when the parent is killed."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def use_one_thread() -> None:
    """Let the processes be the parallelism."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _work(task: Task) -> ItemRecord:
    return _work_here(task)
