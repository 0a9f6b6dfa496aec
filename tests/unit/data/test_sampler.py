from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realface.core.errors import ManifestError
from realface.data.sampler import BalancedSampler

LABELS = np.array([0] * 3 + [1] * 10)


def epochs(count, *, labels=LABELS, seed=1, balance=True):
    sampler = BalancedSampler(labels, seed=seed, balance=balance)
    for epoch in range(count):
        sampler.set_epoch(epoch)
        yield list(sampler)


def test_an_epoch_has_every_row_of_the_rarer_class_and_as_many_of_the_other():
    for rows in epochs(5):
        assert len(rows) == 6 == len(BalancedSampler(LABELS, seed=1, balance=True))
        assert sorted(row for row in rows if LABELS[row] == 0) == [0, 1, 2]


def test_the_larger_class_is_gone_through_without_repetition_over_the_epochs():
    fakes = [row for rows in epochs(10) for row in rows if LABELS[row] == 1]
    assert len(fakes) == 30
    for one_pass in (fakes[:10], fakes[10:20], fakes[20:]):
        assert sorted(one_pass) == list(range(3, 13))
    assert fakes[:10] != fakes[10:20]


def test_every_batch_of_even_size_is_balanced_and_every_second_row_has_both_classes():
    labels = np.array([0] * 40 + [1] * 60)
    (rows,) = epochs(1, labels=labels)
    assert all(sum(labels[rows[start : start + 4]]) == 2 for start in range(0, 80, 4))
    assert 10 < sum(labels[rows[::2]]) < 30


@settings(max_examples=50, deadline=None)
@given(num_real=st.integers(1, 9), num_fake=st.integers(1, 9), epoch=st.integers(0, 40), seed=st.integers(0, 2**32))
def test_an_epoch_is_balanced_without_repetition_beyond_the_end_of_a_pass(num_real, num_fake, epoch, seed):
    labels = np.array([0] * num_real + [1] * num_fake)
    sampler = BalancedSampler(labels, seed=seed, balance=True)
    sampler.set_epoch(epoch)
    rows = list(sampler)
    assert Counter(labels[rows].tolist()) == {0: min(num_real, num_fake), 1: min(num_real, num_fake)}
    assert max(Counter(rows).values()) <= 2  # the last of one pass may be the first of the next


def test_an_epoch_can_be_taken_up_without_those_before():
    sampler = BalancedSampler(LABELS, seed=1, balance=True)
    sampler.set_epoch(4)
    assert list(sampler) == list(epochs(5))[4]


def test_seeds_and_epochs_give_other_orders():
    assert list(epochs(1, seed=1)) == list(epochs(1, seed=1)) != list(epochs(1, seed=2))
    first, second = epochs(2, balance=False)
    assert first != second


def test_without_balance_an_epoch_is_every_row_once_even_of_one_class():
    for labels in (LABELS, np.ones(5, np.int64)):
        for rows in epochs(2, labels=labels, balance=False):
            assert sorted(rows) == list(range(len(labels)))


def test_a_class_that_lacks_is_named():
    with pytest.raises(ManifestError, match="cannot balance: none of the 5 rows is real; add real faces, or turn"):
        BalancedSampler(np.ones(5, np.int64), seed=0, balance=True)
    with pytest.raises(ManifestError, match="none of the 2 rows is fake"):
        BalancedSampler(np.zeros(2, np.int64), seed=0, balance=True)
    with pytest.raises(ManifestError, match="no rows to train on; check the manifests and their filters"):
        BalancedSampler(np.zeros(0, np.int64), seed=0, balance=False)
