"""Read the size and perceptual hash of every crop of a manifest, in parallel processes."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from realface.core.errors import MediaError, MissingInputError, RealfaceError
from realface.core.progress import progress
from realface.core.worker_limits import allowed_workers
from realface.manifest.close_hashes import HASH_BYTES, Integers
from realface.manifest.manifest import Manifest
from realface.manifest.near_identical import image_hash
from realface.media.images import image_size, read_image

FILES_AT_ONCE = 128  # a task of a process; fewer are read before a process would have started
QUEUED_PER_WORKER = 4


@dataclass(frozen=True)
class CropImages:
    """Sizes, hashes and faults of crop files, one row per crop.

    Attributes:
        sizes: (rows, 2) height and width as stored, in pixels; 0 for a missing or unreadable file.
        hashes: (rows, 32) uint8, from `image_hash`.
        has_hash: (rows,) whether the hash is valid; false if only headers were read.
        is_blank: (rows,) true for an image of a single colour, which has no hash.
        faults: (rows,) description of the error in an existing file; null without an error.
    """

    sizes: Integers
    hashes: NDArray[np.uint8]
    has_hash: NDArray[np.bool_]
    is_blank: NDArray[np.bool_]
    faults: pa.StringArray

    def take(self, rows: Integers) -> CropImages:
        """Return the given rows in the given order; (n,) row numbers from 0."""
        return CropImages(
            self.sizes[rows],
            self.hashes[rows],
            self.has_hash[rows],
            self.is_blank[rows],
            self.faults.take(pa.array(rows)),
        )


def read_crop_images(manifest: Manifest, *, whole: bool, workers: int | None = None, quiet: bool = False) -> CropImages:
    """Read the file of every row.

    Args:
        manifest: the crops, at least one; a file that several rows name is read once.
        whole: read and hash the images; otherwise read only their headers.
        workers: number of processes; None: one per core, 0: this process only.
        quiet: show no progress.

    Raises:
        RealfaceError: a worker process was killed.
        LoadingError: not even one worker process can start.
    """
    column = manifest.columns["path"]
    names = column.unique()
    files = np.asarray(pc.index_in(column, value_set=names), np.int64)
    parts = [names.slice(start, FILES_AT_ONCE) for start in range(0, len(names), FILES_AT_ONCE)]
    tasks = (partial(_read, manifest.root, part.to_pylist(), whole=whole) for part in parts)
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    done = _in_processes(tasks, count) if count and len(parts) > 1 else (task() for task in tasks)
    read = []
    with progress("check crops", len(names), unit="files", quiet=quiet) as shown:
        for one in done:
            read.append(one)
            shown.advance(len(one.sizes))
    return _joined(read).take(files)


Task = Callable[[], CropImages]


def _in_processes(tasks: Iterator[Task], workers: int) -> Iterator[CropImages]:
    """Run the tasks and yield their results in order."""
    workers = allowed_workers(workers)
    context = get_context("spawn")  # a fork after Arrow or torch has started threads can hang
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        running: deque[Future[CropImages]] = deque()
        try:
            for task in tasks:
                running.append(pool.submit(task))
                if len(running) >= workers * QUEUED_PER_WORKER:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BrokenProcessPool as error:
            raise RealfaceError(
                "a worker process was killed, perhaps because memory ran out",
                hint="run the same command again with fewer --workers",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the pool
    cv2.setNumThreads(1)  # the processes are the parallelism


def _read(root: Path, names: list[str], *, whole: bool) -> CropImages:
    sizes = np.zeros((len(names), 2), np.int64)
    hashes = np.zeros((len(names), HASH_BYTES), np.uint8)
    has_hash, is_blank = np.zeros((2, len(names)), np.bool_)
    faults: list[str | None] = [None] * len(names)
    for row, name in enumerate(names):
        try:
            size = image_size(root / name)
            found = image_hash(read_image(root / name)) if whole else None
        except MissingInputError:
            continue  # a fault of another kind, for which no image needs to be read
        except MediaError as error:
            faults[row] = str(error)
            continue
        sizes[row] = size
        if found is not None:
            hashes[row] = found
        has_hash[row], is_blank[row] = found is not None, whole and found is None
    return CropImages(sizes, hashes, has_hash, is_blank, pa.array(faults, pa.string()))


def _joined(parts: list[CropImages]) -> CropImages:
    return CropImages(
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.has_hash for part in parts]),
        np.concatenate([part.is_blank for part in parts]),
        pa.concat_arrays([part.faults for part in parts]),
    )
