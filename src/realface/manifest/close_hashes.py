"""Finding the pairs of hashes that differ in few bits among very many, exactly and without comparing all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NUM_BITS = 242
HASH_BYTES = 32
MAX_DISTANCE = 21

_NUM_GROUPS = 11
_GROUP_BITS = NUM_BITS // _NUM_GROUPS
# Neighbouring bits are correlated: a group of neighbours would be equal for all crops that share only dark hair.
_BIT_ORDER = np.random.default_rng(0).permutation(NUM_BITS)
_PAIRS_AT_ONCE = 1_000_000

Integers = NDArray[np.int64]


def distances(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Integers:
    """Return the number of bits in which hashes differ.

    Args:
        first: (..., 32).
        second: (..., 32); the shapes in front are broadcast.
    """
    return np.asarray(np.bitwise_count(_words(first) ^ _words(second)).sum(-1), np.int64)


def close_pairs(hashes: NDArray[np.uint8], splits: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Yield the pairs of hashes of different splits that differ in at most `MAX_DISTANCE` bits.

    Hashes that differ in at most 21 bits differ in at most one bit of at least one of 11 groups of bits. So for each
    bit of each group, the hashes that agree in the other bits of the group are compared.

    Args:
        hashes: (n, 32) uint8; only the first 242 bits are used.
        splits: (n,) number of the split, from 0.

    Yields:
        Two arrays (pairs,) with the positions in `hashes`: the hash with the lower split first. Each pair is yielded
        at least once, and possibly several times.
    """
    for group in _BIT_ORDER.reshape(_NUM_GROUPS, _GROUP_BITS):
        bits = hashes[:, group // 8] >> (7 - group % 8).astype(np.uint8) & 1
        keys = bits.astype(np.int64) @ (1 << np.arange(_GROUP_BITS))
        for bit in range(_GROUP_BITS):
            for first, second in _pairs_of_equal(keys & ~(1 << bit), splits):
                is_close = distances(hashes[first], hashes[second]) <= MAX_DISTANCE
                if is_close.any():
                    yield first[is_close], second[is_close]


def _pairs_of_equal(keys: Integers, splits: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Yield all pairs of equal keys and different splits, at most about a million at a time."""
    in_split = keys * (splits.max() + 1) + splits
    order = np.argsort(in_split, kind="stable")
    ordered, ordered_keys = in_split[order], keys[order]
    # the partners of a key follow its last row in the same split: equal keys in later splits
    start, end = (np.searchsorted(values, values, side="right") for values in (ordered, ordered_keys))
    counts = end - start
    total = np.cumsum(counts)
    for low in range(0, int(total[-1]), _PAIRS_AT_ONCE):
        number = np.arange(low, min(low + _PAIRS_AT_ONCE, int(total[-1])))
        first = np.searchsorted(total, number, side="right")
        second = start[first] + number - (total[first] - counts[first])
        yield order[first], order[second]


def _words(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64)
