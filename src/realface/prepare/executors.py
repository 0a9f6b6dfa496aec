"""Doing many jobs: in this process, in several, or on a cluster. All do the same with each."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

from realface.core.errors import RealfaceError
from realface.core.worker_limits import allowed_workers
from realface.datasets.reader import SourceVideo
from realface.faces.detectors.registry import face_detector_for
from realface.media.images import is_image_name
from realface.prepare.crop_copies import copy_crops
from realface.prepare.item import prepare_item
from realface.prepare.output_folder import OutputFolder
from realface.prepare.record import ItemRecord, PrepareJob

Done = Iterator[tuple[int, ItemRecord]]
"""Number of each item with its record, in the order in which the items finish."""

Do = Callable[[Iterable[PrepareJob]], Done]
"""Does all jobs that it is given, and may be called again."""

QUEUED_PER_WORKER = 4  # waiting jobs: keeps all workers busy without a million jobs in memory


def work_of(output: OutputFolder) -> Callable[[PrepareJob], ItemRecord]:
    """Return the function that runs a job; one per process, since a face detector loads its weights on first use."""
    if output.are_crops:
        do: Callable[[PrepareJob], ItemRecord] = partial(copy_crops, output=output)
    else:
        do = partial(
            prepare_item, output=output, face_detector=face_detector_for(output.spec, file=output.face_detector_file)
        )

    def work(job: PrepareJob) -> ItemRecord:
        try:
            return do(job)
        except BaseException as error:
            error.add_note(f"while preparing {job.item.source}")
            raise

    return work


@contextmanager
def workers(output: OutputFolder, count: int) -> Iterator[Do]:
    """Yield a function that runs jobs, here or in processes of one thread each, which live until the end of the block.

    Args:
        output: output folder, the same for all jobs.
        count: number of processes; 0 works in this process. Fewer start if the machine's limits allow fewer.

    Raises:
        LoadingError: no process can start.
    """
    if count == 0:
        with _one_thread():
            work = work_of(output)
            yield lambda jobs: ((job.index, work(job)) for job in jobs)
        return
    count = allowed_workers(count)
    output = replace(output, threads=1)
    context = get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=(output,))
    try:
        yield partial(_do_in_pool, pool, count=count)
    finally:
        pool.shutdown(cancel_futures=True)  # waits, so that all workers have stopped when the folder is unlocked


def _do_in_pool(pool: ProcessPoolExecutor, jobs: Iterable[PrepareJob], *, count: int) -> Done:
    """Run the jobs and keep only a few of them in memory at a time.

    Raises:
        RealfaceError: a worker was killed.
    """
    rest = iter(jobs)
    running: dict[Future[ItemRecord], PrepareJob] = {}
    try:
        while True:
            for job in islice(rest, count * QUEUED_PER_WORKER - len(running)):
                running[pool.submit(_work, job)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                record = future.result()
                yield running.pop(future).index, record
    except BrokenProcessPool as error:
        at_work = ", ".join(str(job.item.source) for job in islice(running.values(), count))
        raise RealfaceError(
            f"a worker process was killed, perhaps for lack of memory, at work on {at_work}",
            hint="run the same command again, with fewer --workers or without that file; finished files are kept",
        ) from error


def num_workers(asked: int | None) -> int:
    """Return the requested number, or one per core that this process may use."""
    if asked is not None:
        return asked
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def largest_first(numbers: Iterable[int], items: Sequence[SourceVideo]) -> list[int]:
    """Return the numbers of items by falling file size, so that no long video is processed last by a single process."""
    return sorted(numbers, key=lambda number: -_num_bytes(items[number].source))


def _num_bytes(path: Path) -> int:
    if is_image_name(path):  # all are done soon, and to ask for the size of millions is not
        return 0
    try:
        return path.stat().st_size
    except OSError:  # the worker reports the error
        return 0


_work_here: Callable[[PrepareJob], ItemRecord]  # of a worker process, set when it starts


def _start_worker(output: OutputFolder) -> None:
    global _work_here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the pool
    Thread(target=_end_with_parent, daemon=True).start()
    use_one_thread()
    _work_here = work_of(output)


def _end_with_parent() -> None:
    """Leave no worker behind that writes crops while the next run does, when the parent is killed."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit computations to one thread, as in the processes: the number of threads changes the last digits of a box."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    use_one_thread()
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def use_one_thread() -> None:
    """Let the processes be the parallelism."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _work(job: PrepareJob) -> ItemRecord:
    return _work_here(job)
