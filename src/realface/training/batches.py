"""Batches for every step of a run: one endless stream over the epochs, decoded in workers.

The rows of a step and their augmentation depend on the seed and the number of the step only. They depend neither on the
workers nor on interruptions of the run, and no epoch begins with a pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from realface.core.errors import MediaError, TrainingError
from realface.data.dataset import CropDataset, CropItem, RowInput, crop_bytes, joined_inputs
from realface.data.degradations.draw import DegradationsSection
from realface.data.loading import ItemReader, load_batches
from realface.data.sampler import EpochOrder, Sampling, build_sampler
from realface.data.transforms import FaceTransform
from realface.manifest.manifest import Manifest

RowOfEpoch = tuple[int, int]
"""(epoch, row): a row is augmented differently in each epoch."""
PREFETCHED = 4
"""Batches that each worker has ready, which evens out slow files."""
LABEL_BYTES = 64
"""Of a crop, at most: the array of a batch's labels is aligned."""


@dataclass(frozen=True)
class Batch:
    """A batch of a step.

    Attributes:
        image: (B, 3, S, S) float32, in [0, 1].
        label: (B,) int64, 1 = fake.
        inputs: precomputed per-crop inputs, keyed by the task's keyword argument.
    """

    image: Tensor
    label: Tensor
    inputs: Mapping[str, Tensor] = field(default_factory=dict)

    def pin_memory(self) -> Batch:
        """Return a copy in pinned memory; the loader calls this."""
        inputs = {name: value.pin_memory() for name, value in self.inputs.items()}
        return Batch(self.image.pin_memory(), self.label.pin_memory(), inputs)


class StepSampler(Sampler[list[RowOfEpoch]]):
    """Yields the rows of each batch; a batch may extend into the next epoch.

    Several processes draw the same stream, and each takes its part of every step. Together they use the same rows
    as one process with a batch of that size.

    Args:
        order: order of the rows in an epoch.
        batch_size: rows of a batch.
        num_batches: number of batches of the whole run.
        first_batch: number of batches that were drawn before.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        order: EpochOrder,
        *,
        batch_size: int,
        num_batches: int,
        first_batch: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._order = order
        self._batch_size = batch_size
        self._batches = range(first_batch, num_batches)
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[RowOfEpoch]]:
        num_together = self._batch_size * self._world_size
        epoch, start = divmod(self._batches.start * num_together, len(self._order))
        rows = self._rows_from(epoch, start)
        own = slice(self._rank * self._batch_size, (self._rank + 1) * self._batch_size)
        for _ in self._batches:
            yield [next(rows) for _ in range(num_together)][own]

    def _rows_from(self, epoch: int, start: int) -> Iterator[RowOfEpoch]:
        while True:
            self._order.set_epoch(epoch)
            for row in islice(self._order, start, None):
                yield epoch, row
            epoch, start = epoch + 1, 0


class EpochDataset(Dataset[CropItem | str]):
    """A `CropDataset` that gets the epoch with each row, since each worker has its own copy."""

    def __init__(self, crops: CropDataset) -> None:
        self._crops = crops

    def __getitem__(self, key: RowOfEpoch) -> CropItem | str:
        """Return the item of a row, or the text of its error, which the loader would hide in a traceback."""
        epoch, row = key
        self._crops.set_epoch(epoch)
        try:
            return self._crops[row]
        except MediaError as error:
            return str(error)


def collate(items: Sequence[CropItem | str]) -> Batch | str:
    """Join the items of a step; the text of an error replaces the whole batch."""
    good: list[CropItem] = []
    for item in items:
        if isinstance(item, str):
            return item
        good.append(item)
    return Batch(
        image=torch.stack([item["image"] for item in good]),
        label=torch.stack([item["label"] for item in good]),
        inputs=joined_inputs(good),
    )


def training_batches(
    rows: Manifest,
    *,
    input_size: int,
    batch_size: int,
    num_batches: int,
    seed: int,
    flip: float,
    degradations: DegradationsSection | None = None,
    sampling: Sampling = "balanced",
    workers: int,
    first_batch: int = 0,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
    inputs: Mapping[str, RowInput] | None = None,
) -> Iterator[Batch]:
    """Return the batches of a run, decoded in workers that live as long as it.

    Args:
        rows: the training samples.
        input_size: height and width of the images, in pixels.
        batch_size: number of crops of a batch, in each process.
        num_batches: number of batches of the whole run.
        seed: seed of order and augmentation.
        flip: probability that a crop is mirrored, in [0, 1].
        degradations: degradations drawn for each crop; None: no degradation.
        sampling: order in which rows are drawn.
        workers: number of processes that decode; 0: the calling process does it.
        first_batch: number of batches that were used before.
        rank: number of this process.
        world_size: number of processes.
        pin_memory: put batches into memory from which a GPU copies by itself.
        inputs: precomputed per-sample inputs, keyed by the task's keyword argument.

    Raises:
        ManifestError: the rows cannot be drawn in this way.
        TrainingError, LoadingError: a crop cannot be read. The text gives its path; see `load_batches`.
    """
    transform = FaceTransform(input_size, flip=flip, degradations=degradations)
    crops = CropDataset(rows, transform=transform, seed=seed, training=True, inputs=inputs)
    order = build_sampler(rows, sampling=sampling, seed=seed)
    steps = {"batch_size": batch_size, "num_batches": num_batches, "first_batch": first_batch}
    batches = StepSampler(order, **steps, rank=rank, world_size=world_size)
    return load_training_batches(
        ItemReader[RowOfEpoch, Batch | str](EpochDataset(crops), collate),
        batches,
        batch_bytes=batch_size * (crop_bytes(input_size, num_inputs=len(inputs or {})) + LABEL_BYTES),
        workers=workers,
        pin_memory=pin_memory,
    )


def load_training_batches(
    read: ItemReader[Any, Batch | str],
    sampler: Iterable[Sequence[Any]],
    *,
    batch_bytes: int,
    workers: int,
    pin_memory: bool,
) -> Iterator[Batch]:
    """Yield the batches of a run.

    Args:
        read: reads the items of a batch; a text in place of a batch is the error of an unreadable crop.
        sampler: yields the items of each batch.
        batch_bytes: memory of a batch, in bytes.
        workers: number of processes that read; 0: the calling process does it.
        pin_memory: put batches into memory from which a GPU copies by itself.

    Raises:
        TrainingError: a crop cannot be read. The text gives its path.
        LoadingError: see `load_batches`.
    """
    loaded = load_batches(
        read,
        sampler,
        workers=workers,
        batch_bytes=batch_bytes,
        prefetch=PREFETCHED,
        pin_memory=pin_memory,
        num_loaders=2,  # the validation loader is open at the same time
    )
    for batch in loaded:
        if isinstance(batch, str):
            raise TrainingError(
                f"{batch}", hint="replace the file and continue with --resume, or drop its row and start again"
            )
        yield batch
