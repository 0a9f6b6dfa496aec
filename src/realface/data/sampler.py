"""The order in which crops are trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from torch.utils.data import Sampler

from realface.core.errors import ManifestError
from realface.core.labels import Label
from realface.manifest.manifest import Manifest

Sampling = Literal["balanced", "paired", "all"]
"""Sampling of an epoch: equally many reals and fakes, every fake with a real of its source, or every row once."""

NUMBERS_AT_ONCE = 65536
NO_ROWS = "no rows to train on"
CHECK_FILTERS = "check the manifests and their filters"


class EpochOrder(Protocol):
    """The rows of successive epochs, in an order that depends only on the seed and the epoch.

    Attributes:
        num_left_out: number of fakes excluded from every epoch.
    """

    num_left_out: int

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, >= 0, whose order the next iteration gives."""

    def __len__(self) -> int:
        """Rows of an epoch; every epoch has as many."""

    def __iter__(self) -> Iterator[int]:
        """Return the epoch's rows, as numbers from 0."""


def build_sampler(manifest: Manifest, *, sampling: Sampling, seed: int) -> EpochOrder:
    """Return the order in which the rows of a manifest are trained on.

    Args:
        manifest: the rows to train on.
        sampling: `balanced` and `all` as `BalancedSampler`, `paired` as `PairedSampler`.
        seed: the run's seed, >= 0.

    Raises:
        ManifestError: no rows, no rows of a class that is to be balanced, or no pair.
    """
    if sampling == "paired":
        return PairedSampler(manifest, seed=seed)
    return BalancedSampler(manifest.labels, seed=seed, balance=sampling == "balanced")


class BalancedSampler(Sampler[int]):
    """Equally many reals and fakes in every epoch, or every row once.

    A balanced epoch has every row of the rarer class once and an equal number of rows of the other class. The next
    epoch continues at the next row of the other class, so that all its rows are used equally often. Reals and fakes
    alternate in pairs, so each batch of even size is balanced too. The order within a pair is random, because ranks
    that take every second row would otherwise get one class only.

    Args:
        labels: (rows,), 1 = fake.
        seed: seed of the run, >= 0.
        balance: whether an epoch has equally many reals and fakes; otherwise it has every row once.

    Raises:
        ManifestError: the manifest has no rows, or no rows of a class to balance.
    """

    def __init__(self, labels: NDArray[np.integer], *, seed: int, balance: bool) -> None:
        if len(labels) == 0:
            raise ManifestError(NO_ROWS, hint=CHECK_FILTERS)
        self.num_left_out = 0
        self._seed = seed
        self._balance = balance
        self._classes = [np.flatnonzero(labels == label) for label in Label] if balance else [np.arange(len(labels))]
        for label, rows in zip(Label, self._classes, strict=False):
            if len(rows) == 0:
                raise ManifestError(
                    f"cannot balance: none of the {len(labels)} rows is {label.word}",
                    hint=f"add {label.word} faces, or set the sampling to all",
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
            rows = _generator(self._seed, len(self._classes), self._epoch).permuted(rows, axis=1)
        yield from _numbers(rows.ravel())

    @property
    def _rows_per_class(self) -> int:
        return min(len(rows) for rows in self._classes)

    def _rows_of(self, position: int) -> NDArray[np.intp]:
        """Return the epoch's rows of a class: a section of an endless sequence of permutations."""
        rows = self._classes[position]
        start = self._epoch * self._rows_per_class
        first, last = start // len(rows), (start + self._rows_per_class - 1) // len(rows)
        passes = [_generator(self._seed, position, number).permutation(rows) for number in range(first, last + 1)]
        skipped = start - first * len(rows)
        return np.concatenate(passes)[skipped : skipped + self._rows_per_class]


class PairedSampler(Sampler[int]):
    """Every fake once per epoch, next to a real of its source.

    A fake's source is the video in its column `original`, with equal dataset and compression. The real is drawn from
    the rows with the fake's frame number, or from all rows of the video if no row has it or the number is unknown. The
    real and the order within a pair are drawn again in every epoch. Fakes without such a real are excluded.

    Args:
        manifest: rows to train on.
        seed: seed of the run, >= 0.

    Attributes:
        num_left_out: number of fakes without a known real.

    Raises:
        ManifestError: the manifest has no rows, or no fake has a known real.
    """

    def __init__(self, manifest: Manifest, *, seed: int) -> None:
        if len(manifest) == 0:
            raise ManifestError(NO_ROWS, hint=CHECK_FILTERS)
        self._seed = seed
        self._epoch = 0
        links = link_fakes(manifest)
        is_paired = links.count > 0
        if not is_paired.any():
            raise ManifestError(
                _why_nothing_pairs(manifest),
                hint=(
                    "prepare reals and fakes together, from a dataset that records originals (faceforensics), or set "
                    "the sampling to balanced"
                ),
            )
        self._reals = links.reals
        self._fakes, self._first, self._count = (part[is_paired] for part in (links.fakes, links.first, links.count))
        self.num_left_out = len(links.fakes) - len(self._fakes)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, >= 0, whose order the next iteration gives."""
        self._epoch = epoch

    def __len__(self) -> int:
        return 2 * len(self._fakes)

    def __iter__(self) -> Iterator[int]:
        generator = _generator(self._seed, 0, self._epoch)
        pairs = generator.permutation(len(self._fakes))
        reals = self._reals[self._first[pairs] + generator.integers(self._count[pairs])]
        rows = generator.permuted(np.stack([reals, self._fakes[pairs]], axis=1), axis=1)  # (pairs, 2)
        yield from _numbers(rows.ravel())


@dataclass(frozen=True)
class FakeLinks:
    """The reals that each fake was made from: `reals[first[i] : first[i] + count[i]]` with `fakes[i]`.

    Attributes:
        fakes: (fakes,) rows of the fakes.
        reals: (reals,) rows of the reals with a known video, sorted by video and frame.
        first: (fakes,) position of each fake's first real in `reals`.
        count: (fakes,) number of reals of each fake; 0 without a real.
    """

    fakes: NDArray[np.intp]
    reals: NDArray[np.intp]
    first: NDArray[np.intp]
    count: NDArray[np.intp]


def link_fakes(manifest: Manifest) -> FakeLinks:
    """Find the reals that each fake was made from.

    The `original` of a fake is their video, with equal dataset and compression. Reals with the fake's frame number are
    used if they exist, otherwise all reals of the video.
    """
    columns = manifest.columns
    is_fake = manifest.labels == Label.FAKE
    source = pc.if_else(pa.array(is_fake), columns["original"], columns["video"])
    video = _numbered(columns["dataset"], columns["compression"], source)
    frame = _numbered(columns["frame"])
    moment = video * (frame.max() + 1) + frame  # orders by video, within it by frame
    is_known = source.is_valid().to_numpy()
    fakes, reals = np.flatnonzero(is_fake), np.flatnonzero(~is_fake & is_known)
    reals = reals[np.argsort(moment[reals], kind="stable")]
    of_frame, of_video = (_stretches(numbers[reals], numbers[fakes]) for numbers in (moment, video))
    takes_frame = (of_frame[1] > 0) & columns["frame"].is_valid().to_numpy()[fakes]
    first, count = np.where(takes_frame, of_frame, of_video)
    return FakeLinks(fakes, reals, first, np.where(is_known[fakes], count, 0))


def _numbered(*columns: pa.ChunkedArray) -> NDArray[np.int64]:
    """(rows,) a number from 0 for each row, the same where all columns are the same; null is the same as null."""
    numbers = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
        both = numbers * len(encoded.dictionary) + encoded.indices.to_numpy()
        numbers = pa.array(both).dictionary_encode().indices.to_numpy().astype(np.int64)  # dense again: no overflow
    return numbers


def _stretches(ordered: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the first position and the count of each wanted number in the ordered numbers, (2, wanted)."""
    first, end = np.searchsorted(ordered, wanted, side="left"), np.searchsorted(ordered, wanted, side="right")
    return np.stack([first, end - first])


def _numbers(rows: NDArray[np.intp]) -> Iterator[int]:
    """Yield the rows as Python integers in chunks: millions of them at a time would take 100 MB."""
    for start in range(0, len(rows), NUMBERS_AT_ONCE):
        yield from rows[start : start + NUMBERS_AT_ONCE].tolist()


def _why_nothing_pairs(manifest: Manifest) -> str:
    is_fake = manifest.labels == Label.FAKE
    num_named = int(np.sum(is_fake & manifest.columns["original"].is_valid().to_numpy()))
    return (
        f"cannot pair any of the {np.sum(is_fake)} fakes with a real of its source: {num_named} have an `original`, "
        "but no real of the same dataset and compression has it as its `video`"
    )


def _generator(seed: int, purpose: int, number: int) -> np.random.Generator:
    # a spawn key, so that no order shares its stream with a row's augmentation, which is seeded by a tuple
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, number)))
