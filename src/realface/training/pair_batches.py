"""Batches of pairs: each real face with a fake that is made from the same face, in workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch.utils.data import Dataset, Sampler

from realface.core.errors import MediaError
from realface.core.labels import Label
from realface.data.dataset import crop_bytes
from realface.data.loading import ItemReader
from realface.data.pairs import PairDataset, PairItem
from realface.data.source_stream import Draw, SourceStream
from realface.training.batches import LABEL_BYTES, Batch, load_training_batches

MASK_INPUT = "manipulation_mask"
"""Name under which a task takes the masks of a batch."""


class PairSampler(Sampler[list[Draw]]):
    """Yields the faces of each batch.

    Several processes draw the same stream, and each uses its part of every section of the stream.

    Args:
        stream: stream of faces.
        num_pairs: pairs of a batch, in each process.
        num_batches: batches of the whole run.
        first_batch: batches of the run that were drawn before.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        stream: SourceStream,
        *,
        num_pairs: int,
        num_batches: int,
        first_batch: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._stream, self._num_pairs = stream, num_pairs
        self._batches = range(first_batch, num_batches)
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[Draw]]:
        together = self._num_pairs * self._world_size
        draws = self._stream.draws(self._batches.start * together)
        own = slice(self._rank * self._num_pairs, (self._rank + 1) * self._num_pairs)
        for _ in self._batches:
            yield list(islice(draws, together))[own]


class DrawnPairs(Dataset[PairItem | str]):
    """Makes the pair of a draw: the visit takes the place of the epoch, so each visit of a face gives another pair."""

    def __init__(self, pairs: PairDataset) -> None:
        self._pairs = pairs

    def __getitem__(self, draw: Draw) -> PairItem | str:
        """Return the pair, or the text of the error if its crop cannot be read."""
        visit, face = draw
        self._pairs.set_epoch(visit)
        try:
            return self._pairs[face]
        except MediaError as error:
            return str(error)


def join_pairs(items: Sequence[PairItem | str]) -> Batch | str:
    """Join pairs to a batch in which each real face is followed by its fake; the first error text replaces it."""
    good: list[PairItem] = []
    for item in items:
        if isinstance(item, str):
            return item
        good.append(item)
    images = [image for item in good for image in (item["real"], item["fake"])]
    masks = [mask for item in good for mask in (torch.zeros_like(item["mask"]), item["mask"])]
    label = torch.tensor([Label.REAL.value, Label.FAKE.value] * len(good))
    return Batch(torch.stack(images), label, {MASK_INPUT: torch.stack(masks)})


def pair_batch_bytes(num_pairs: int, input_size: int) -> int:
    """Return the memory of a batch of pairs, in bytes."""
    images = crop_bytes(input_size)
    return 2 * num_pairs * (images + images // 3 + LABEL_BYTES)


def pair_batches(
    pairs: PairDataset, sampler: PairSampler, *, num_pairs: int, input_size: int, workers: int, pin_memory: bool
) -> Iterator[Batch]:
    """Return the batches of a run on pairs.

    Args:
        pairs: makes the pairs.
        sampler: the faces of each batch.
        num_pairs: pairs of a batch.
        input_size: height and width of the images, in pixels.
        workers: number of processes that make pairs; 0: the calling process does it.
        pin_memory: put batches into memory from which a GPU copies by itself.

    Raises:
        TrainingError: a crop cannot be read. The text gives its path.
        LoadingError: see `load_batches`.
    """
    return load_training_batches(
        ItemReader[Draw, Batch | str](DrawnPairs(pairs), join_pairs),
        sampler,
        batch_bytes=pair_batch_bytes(num_pairs, input_size),
        workers=workers,
        pin_memory=pin_memory,
    )
