"""Batches for every step of a run: one endless stream over the epochs, decoded in workers.

Which rows a step sees, and what augmentation does to them, follows from the seed and the step's number alone. So it
depends neither on the workers nor on where a run was taken up, and no epoch begins with a pause.
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
    """What a step learns from.

    Attributes:
        image: (B, 3, S, S) float32, in [0, 1].
        label: (B,) int64, 1 = fake.
        inputs: what was computed beforehand for each crop, by the name under which the task takes it.
    """

    image: Tensor
    label: Tensor
    inputs: Mapping[str, Tensor] = field(default_factory=dict)

    def pin_memory(self) -> Batch:
        """The same in memory from which a GPU copies on its own; the loader calls this."""
        inputs = {name: value.pin_memory() for name, value in self.inputs.items()}
        return Batch(self.image.pin_memory(), self.label.pin_memory(), inputs)


class StepSampler(Sampler[list[RowOfEpoch]]):
    """The rows of each batch; a batch may reach from one epoch into the next.

    Several processes draw the same stream and each takes its part of every stretch of it, so what they learn from
    together is what one process with a batch as large would learn from.

    Args:
        order: of the rows in an epoch.
        batch_size: rows of a batch.
        num_batches: of the whole run.
        first_batch: batches of the run that were drawn before.
        rank: number of this process.
        world_size: how many processes there are.
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
    """A `CropDataset` that is told the epoch with each row, since workers hold copies that nobody else can reach."""

    def __init__(self, crops: CropDataset) -> None:
        self._crops = crops

    def __getitem__(self, key: RowOfEpoch) -> CropItem | str:
        """The row's item, or the text of why it cannot be read: the loader would bury an error in a traceback."""
        epoch, row = key
        self._crops.set_epoch(epoch)
        try:
            return self._crops[row]
        except MediaError as error:
            return str(error)


def collate(items: Sequence[CropItem | str]) -> Batch | str:
    """Join the items of a step; the text of a fault stands for the whole batch."""
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
    """The batches of a run, in workers that live as long as it.

    Args:
        rows: to learn from.
        input_size: of the network, in pixels.
        batch_size: crops of a batch, in each process.
        num_batches: of the whole run.
        seed: of the order and of what is left to chance.
        flip: chance that a crop is mirrored.
        degradations: what is drawn for each crop; None: nothing.
        sampling: how rows are drawn.
        workers: processes that decode; 0: this one does.
        first_batch: batches of the run that were taken before.
        rank: number of this process.
        world_size: how many processes there are.
        pin_memory: put batches where a GPU copies from on its own.
        inputs: what was computed beforehand for each row, by the name under which the task takes it.

    Raises:
        ManifestError: the rows cannot be drawn in this way.
        TrainingError, LoadingError: a crop cannot be read, and the text names it; as `load_batches`.
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
        TrainingError: a crop cannot be read; the text names it.
        LoadingError: as `load_batches`.
    """
    loaded = load_batches(
        read,
        sampler,
        workers=workers,
        batch_bytes=batch_bytes,
        prefetch=PREFETCHED,
        pin_memory=pin_memory,
        num_loaders=2,  # the validation's opens beside this one
    )
    for batch in loaded:
        if isinstance(batch, str):
            raise TrainingError(
                f"{batch}", hint="replace the file and continue with --resume, or drop its row and start again"
            )
        yield batch
