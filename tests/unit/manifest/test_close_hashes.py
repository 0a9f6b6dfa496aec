import numpy as np
import pytest

from realface.manifest import close_hashes
from realface.manifest.close_hashes import HASH_BYTES, MAX_DISTANCE, NUM_BITS, close_pairs, distances


def hashes_of(bits):
    packed = np.packbits(bits, axis=1)
    return np.pad(packed, ((0, 0), (0, HASH_BYTES - packed.shape[1])))


def flipped(bits, count, generator):
    other = bits.copy()
    other[generator.permutation(NUM_BITS)[:count]] ^= 1
    return other


def found(hashes, splits):
    return {pair for pairs in close_pairs(hashes, np.asarray(splits)) for pair in zip(*map(list, pairs), strict=True)}


def test_the_distance_is_the_number_of_bits_that_differ():
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 2, (2, NUM_BITS))
    one, other = hashes_of(bits)
    assert distances(one, other) == (bits[0] != bits[1]).sum()
    assert distances(one, hashes_of(bits)).tolist() == [0, (bits[0] != bits[1]).sum()]


def test_the_pairs_are_those_that_comparing_all_finds():
    generator = np.random.default_rng(1)
    bits = generator.integers(0, 2, (20, NUM_BITS), dtype=np.uint8)
    copies = [flipped(bits[i % 20], i % 30, generator) for i in range(300)]
    hashes, splits = hashes_of(np.array(copies)), generator.integers(0, 3, 300)
    unpacked = np.array(copies).astype(int)
    expected = {
        (i, j)
        for i in range(300)
        for j in range(300)
        if splits[i] < splits[j] and np.abs(unpacked[i] - unpacked[j]).sum() <= MAX_DISTANCE
    }
    assert found(hashes, splits) == expected
    assert len(expected) > 100


@pytest.mark.parametrize("seed", range(5))
def test_no_pair_at_the_greatest_distance_is_missed_and_none_beyond_it_is_given(seed):
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2, NUM_BITS, dtype=np.uint8)
    for apart, expected in ((MAX_DISTANCE, {(0, 1)}), (MAX_DISTANCE + 1, set())):
        assert found(hashes_of(np.array([bits, flipped(bits, apart, generator)])), [0, 1]) == expected


def test_pairs_within_a_split_are_not_given():
    assert found(np.zeros((3, HASH_BYTES), np.uint8), [1, 1, 1]) == set()


def test_very_many_equal_hashes_come_in_portions_and_none_is_lost(monkeypatch):
    monkeypatch.setattr(close_hashes, "_PAIRS_AT_ONCE", 7)
    splits = [0] * 4 + [2] * 5 + [1] * 3
    portions = list(close_pairs(np.zeros((12, HASH_BYTES), np.uint8), np.array(splits)))
    assert max(len(first) for first, _ in portions) <= 7
    pairs = {pair for first, second in portions for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert pairs == {(i, j) for i in range(12) for j in range(12) if splits[i] < splits[j]}


def test_few_of_all_pairs_are_compared(monkeypatch):
    compared = []

    def counting(first, second):
        compared.append(len(first))
        return distances(first, second)

    monkeypatch.setattr(close_hashes, "distances", counting)
    generator = np.random.default_rng(2)
    assert found(hashes_of(generator.integers(0, 2, (4_000, NUM_BITS))), np.arange(4_000) % 2) == set()
    assert 0 < sum(compared) < 2_000 * 2_000 / 1_000
