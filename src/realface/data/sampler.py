"""The order in which crops are trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from realface.core.errors import ManifestError
from realface.core.labels import Label


class BalancedSampler(Sampler[int]):
    """The rows of one epoch after the other, in an order that follows from the seed and the epoch alone.

    Balanced, an epoch takes every row of the rarer class once and equally many of the other, which goes on in the next
    epoch where it stopped, so that all its rows are seen equally often. Reals and fakes come in pairs, so each batch of
    even size is balanced too; which of a pair comes first is chance, because ranks that take every second row would
    else get one class only. Not balanced, an epoch is every row once.

    Args:
        labels: (rows,), 1 = fake.
        seed: the run's seed, >= 0.
        balance: whether an epoch has equally many reals and fakes.

    Raises:
        ManifestError: no rows, or no rows of a class that is to be balanced.
    """

    def __init__(self, labels: NDArray[np.integer], *, seed: int, balance: bool) -> None:
        if len(labels) == 0:
            raise ManifestError("no rows to train on; check the manifests and their filters")
        self._seed = seed
        self._balance = balance
        self._classes = [np.flatnonzero(labels == label) for label in Label] if balance else [np.arange(len(labels))]
        for label, rows in zip(Label, self._classes, strict=False):
            if len(rows) == 0:
                raise ManifestError(
                    f"cannot balance: none of the {len(labels)} rows is {label.word}; "
                    f"add {label.word} faces, or turn balancing off"
                )
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, >= 0, whose order the next iteration gives."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._classes) * self._rows_per_class

    def __iter__(self) -> Iterator[int]:
        rows = np.stack([self._rows_of(position) for position in range(len(self._classes))], axis=1)  # (n, classes)
        if self._balance:
            rows = self._generator(len(self._classes), self._epoch).permuted(rows, axis=1)
        yield from rows.ravel().tolist()

    @property
    def _rows_per_class(self) -> int:
        return min(len(rows) for rows in self._classes)

    def _rows_of(self, position: int) -> NDArray[np.intp]:
        """The epoch's part of a class: a stretch of an endless row of permutations, one after the other."""
        rows = self._classes[position]
        start = self._epoch * self._rows_per_class
        first, last = start // len(rows), (start + self._rows_per_class - 1) // len(rows)
        passes = [self._generator(position, number).permutation(rows) for number in range(first, last + 1)]
        skipped = start - first * len(rows)
        return np.concatenate(passes)[skipped : skipped + self._rows_per_class]

    def _generator(self, purpose: int, number: int) -> np.random.Generator:
        # a spawn key, so that no order shares its stream with a row's augmentation, which is seeded by a tuple
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(purpose, number)))
