"""Divide a preparation into shards, so that many machines can share the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from realface.core.errors import PrepareError
from realface.core.labels import Label
from realface.datasets.reader import SourceVideo


@dataclass(frozen=True)
class Shard:
    """Part `number`, from 1, of `total`."""

    number: int = 1
    total: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard of a text such as 2/8.

        Raises:
            PrepareError: it is none.
        """
        number, _, total = text.partition("/")
        if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
            raise PrepareError(
                f"--shard: expected i/N with i from 1 to N, such as 1/4 for the first of four parts, got {text!r}"
            )
        return cls(int(number), int(total))

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.number}-of-{self.total}"


def all_shards(total: int) -> Iterator[Shard]:
    """Return every part of `total`."""
    return (Shard(number, total) for number in range(1, total + 1))


def originals_of(items: Sequence[SourceVideo]) -> dict[int, int]:
    """Return the number of the original of each fake that has one among the items, by the fake's own number."""
    reals = {
        (item.dataset, item.compression, item.video): index
        for index, item in enumerate(items)
        if item.label == Label.REAL
    }
    found = {}
    for index, item in enumerate(items):
        if item.label == Label.FAKE and item.original is not None:
            real = reals.get((item.dataset, item.compression, item.original))
            if real is not None:
                found[index] = real
    return found


def part_of(shard: Shard, num_items: int, originals: Mapping[int, int]) -> list[int]:
    """Return the numbers of the items of a shard, in order; a fake belongs to the shard of its original."""
    groups = [originals.get(index, index) for index in range(num_items)]
    position = {group: place for place, group in enumerate(sorted(set(groups)))}
    return [index for index, group in enumerate(groups) if position[group] % shard.total == shard.number - 1]
