"""An endless order of real faces in which large sources and long videos do not dominate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
"""Approximate number of draws in a block; the shares of the sources are exact in each block, in random order."""
_PURPOSE = 2  # spawn key; the samplers use 0 and 1

Draw = tuple[int, int]
"""(visit, row): how often the row was drawn before, and its number."""


class SourceStream:
    """Draws rows for ever: first a source, then one of its identities, then one of the identity's rows.

    Within a source, all identities are drawn once before any is drawn again, and within an identity all rows. The draw
    at a position follows from the seed and the position.

    Args:
        sources: (rows,) source of each row.
        identities: (rows,) identity of each row, within its source.
        balance: the share of a source is its number of identities to this power: 0 = equal shares, 1 = in proportion.
        seed: the run's seed, >= 0.
    """

    def __init__(self, sources: Sequence[str], identities: Sequence[str], *, balance: float, seed: int) -> None:
        assert len(sources) == len(identities) > 0
        rows_of: dict[str, dict[str, list[int]]] = {}
        for row, (source, identity) in enumerate(zip(sources, identities, strict=True)):
            rows_of.setdefault(source, {}).setdefault(identity, []).append(row)
        self._sources = [[np.array(rows) for rows in people.values()] for people in rows_of.values()]
        weights = np.array([float(len(people)) for people in self._sources]) ** balance
        self.shares = dict(zip(rows_of, (weights / weights.sum()).tolist(), strict=True))
        self._rates = weights / weights.sum() * BLOCK
        self._seed = seed
        self._turns: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def draws(self, start: int = 0) -> Iterator[Draw]:
        """Yield the draws from a position on, without end."""
        block = self._block_of(start)
        skipped = start - int(self._counts(block).sum())
        while True:
            rows = self._rows(block)
            yield from rows[skipped:]
            block, skipped = block + 1, 0

    def _counts(self, block: int) -> NDArray[np.int64]:
        """(sources,) draws of each source before a block."""
        counts: NDArray[np.int64] = np.ceil(self._rates * block - 1e-9).astype(np.int64)
        return counts

    def _block_of(self, start: int) -> int:
        block = start // BLOCK
        while int(self._counts(block).sum()) > start:
            block -= 1
        while int(self._counts(block + 1).sum()) <= start:
            block += 1
        return block

    def _rows(self, block: int) -> list[Draw]:
        first, end = self._counts(block), self._counts(block + 1)
        drawn = [
            self._draw(source, position)
            for source in range(len(self._sources))
            for position in range(first[source], end[source])
        ]
        order = self._generator(len(self._sources), block).permutation(len(drawn))
        return [drawn[index] for index in order]

    def _draw(self, source: int, position: int) -> Draw:
        """Return the draw at a position within a source."""
        people = self._sources[source]
        turn, place = divmod(position, len(people))
        if self._turns.get(source, (-1, None))[0] != turn:  # all draws of a turn use one permutation
            self._turns[source] = (turn, self._permutation((source, turn), len(people)))
        person = int(self._turns[source][1][place])
        rows = people[person]
        visit, place = divmod(turn, len(rows))
        return visit, int(rows[self._permutation((source, person, visit), len(rows))[place]])

    def _permutation(self, key: tuple[int, ...], count: int) -> NDArray[np.int64]:
        if count == 1:
            return np.zeros(1, np.int64)
        return self._generator(*key).permutation(count)

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(_PURPOSE, *key)))
