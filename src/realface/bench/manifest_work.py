"""Work of training on a manifest before it decodes a crop, with its time and memory."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar

from torch.utils.data import DataLoader, Dataset

from realface.bench.memory import private_bytes
from realface.data.dataset import CropDataset, init_worker
from realface.data.sampler import build_sampler
from realface.data.transforms import FaceTransform
from realface.manifest.manifest import Manifest

BATCHES_PER_WORKER = 8
T = TypeVar("T")


def choose_and_draw(manifest: Manifest) -> tuple[Manifest, dict[str, float]]:
    """Filter the training rows and sample one epoch.

    Returns:
        The training rows, and seconds by step.
    """
    seconds = {}
    train, seconds["filter"] = _timed(lambda: manifest.filter(split="train"))
    _, seconds["labels"] = _timed(lambda: train.labels)
    order, seconds["sampler"] = _timed(lambda: build_sampler(train, sampling="balanced", seed=0))
    num_drawn, seconds["epoch"] = _timed(lambda: sum(1 for _ in order))
    assert num_drawn == len(order)
    return train, seconds


def worker_bytes(rows: Manifest, *, workers: int, rows_each: int, start_method: str) -> int | None:
    """Return the largest private memory of a worker after it has looked up rows from the whole manifest.

    Args:
        rows: the manifest.
        workers: number of workers of the loader.
        rows_each: number of rows that each worker looks up; fewer if the manifest is shorter.
        start_method: start method of the workers, such as `fork`.

    Returns:
        Bytes that the worker shares with no other process; None if the system does not report them.
    """
    crops = CropDataset(rows, transform=FaceTransform(1), seed=0, training=True)
    with warnings.catch_warnings():
        # memory is measured, not speed, so more workers than cores do not matter
        warnings.filterwarnings("ignore", message="This DataLoader will create", category=UserWarning)
        loader = DataLoader(
            _FileDataset(crops),
            batch_size=max(1, rows_each // BATCHES_PER_WORKER),
            sampler=list(islice(build_sampler(rows, sampling="all", seed=0), workers * rows_each)),
            num_workers=workers,
            collate_fn=_own_bytes,
            worker_init_fn=init_worker,
            multiprocessing_context=start_method,
        )
        reported = [each for each in loader if each is not None]
    return max(reported, default=None)


class _FileDataset(Dataset[str]):
    """Dataset of the file of each row: the work of a worker before it decodes."""

    def __init__(self, crops: CropDataset) -> None:
        self._crops = crops

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, row: int) -> str:
        return str(self._crops.file_of(row))


def _own_bytes(_files: Sequence[str]) -> int | None:
    """Return the private memory of the worker. The loader calls this in the worker for each batch."""
    return private_bytes()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
