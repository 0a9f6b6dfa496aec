"""Batches for every step of a run: one endless stream over the epochs, decoded in workers.

Which rows a step sees, and what augmentation does to them, follows from the seed and the step's number alone. So it
depends neither on the workers nor on where a run was taken up, and no epoch begins with a pause.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from realface.core.errors import MediaError, TrainingError
from realface.data.dataset import CropDataset, CropItem, limit_worker_threads
from realface.data.manifest import Manifest
from realface.data.sampler import BalancedSampler
from realface.data.transforms import FaceTransform

RowOfEpoch = tuple[int, int]
"""(epoch, row): a row is augmented differently in each epoch."""


@dataclass(frozen=True)
class Batch:
    """What a step learns from.

    Attributes:
        image: (B, 3, S, S) float32, in [0, 1].
        label: (B,) int64, 1 = fake.
    """

    image: Tensor
    label: Tensor

    def pin_memory(self) -> Batch:
        """The same in memory from which a GPU copies on its own; the loader calls this."""
        return Batch(self.image.pin_memory(), self.label.pin_memory())


class StepSampler(Sampler[list[RowOfEpoch]]):
    """The rows of each step from `first_step` to `num_steps`; a batch may reach from one epoch into the next."""

    def __init__(self, order: BalancedSampler, *, batch_size: int, num_steps: int, first_step: int = 0) -> None:
        self._order = order
        self._batch_size = batch_size
        self._steps = range(first_step, num_steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[RowOfEpoch]]:
        epoch, start = divmod(self._steps.start * self._batch_size, len(self._order))
        rows = self._rows_from(epoch, start)
        for _ in self._steps:
            yield [next(rows) for _ in range(self._batch_size)]

    def _rows_from(self, epoch: int, start: int) -> Iterator[RowOfEpoch]:
        while True:
            self._order.set_epoch(epoch)
            for row in list(self._order)[start:]:
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
    )


def training_batches(
    rows: Manifest,
    *,
    input_size: int,
    batch_size: int,
    num_steps: int,
    seed: int,
    flip: float,
    balance: bool,
    workers: int,
    pin_memory: bool,
) -> Iterator[Batch]:
    """The batches of a run, one per step.

    Raises:
        TrainingError: a crop cannot be read; the text names it.
    """
    crops = CropDataset(rows, transform=FaceTransform(input_size, flip=flip), seed=seed, training=True)
    order = BalancedSampler(rows.labels, seed=seed, balance=balance)
    loader = DataLoader(
        EpochDataset(crops),
        batch_sampler=StepSampler(order, batch_size=batch_size, num_steps=num_steps),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin_memory,
        worker_init_fn=limit_worker_threads,
        generator=torch.Generator().manual_seed(seed),  # its own, so that it draws nothing from the run's
    )
    for batch in loader:
        if isinstance(batch, str):
            raise TrainingError(f"{batch}; replace the file or drop its row, then start again")
        yield batch
