from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from realface.core.errors import ManifestError
from realface.data.sampler import BalancedSampler, PairedSampler, build_sampler
from realface.manifest.manifest import Manifest

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
    with pytest.raises(
        ManifestError, match="cannot balance: none of the 5 rows is real; add real faces, or set the sampling"
    ):
        BalancedSampler(np.ones(5, np.int64), seed=0, balance=True)
    with pytest.raises(ManifestError, match="none of the 2 rows is fake"):
        BalancedSampler(np.zeros(2, np.int64), seed=0, balance=True)
    with pytest.raises(ManifestError, match="no rows to train on; check the manifests and their filters"):
        BalancedSampler(np.zeros(0, np.int64), seed=0, balance=False)


def crop(label, **columns):
    return {"path": "a.png", "label": label, **columns}


def real(video, frame, **columns):
    return crop(0, video=video, frame=frame, **columns)


def fake(original, frame, **columns):
    return crop(1, video=f"{original}_999", original=original, frame=frame, **columns)


def paired(*rows, seed=1):
    return PairedSampler(Manifest.from_rows(rows, root=Path("crops")), seed=seed)


def pairs_of(sampler, epoch):
    """The (real, fake) pairs of an epoch whose fakes are the higher rows, whichever comes first."""
    sampler.set_epoch(epoch)
    rows = list(sampler)
    assert len(rows) == len(sampler)
    return [tuple(sorted(pair)) for pair in zip(rows[::2], rows[1::2], strict=True)]


def reals_beside(sampler, fake_row, *, num_epochs=30):
    return {real for epoch in range(num_epochs) for real, other in pairs_of(sampler, epoch) if other == fake_row}


def test_every_fake_comes_once_beside_the_real_of_its_source_and_frame():
    rows = [real("a", 0), real("a", 9), real("b", 0), fake("a", 9), fake("b", 0), fake("a", 0), fake("a", 9)]
    for epoch in range(5):
        assert sorted(pairs_of(paired(*rows), epoch)) == [(0, 5), (1, 3), (1, 6), (2, 4)]


def test_a_fake_whose_frame_no_real_has_takes_any_real_of_its_source():
    rows = [real("a", 0), real("a", 1), real("a", None), real("b", 5), fake("a", 5), fake("a", None)]
    assert reals_beside(paired(*rows), 4) == reals_beside(paired(*rows), 5) == {0, 1, 2}


def test_of_two_persons_in_one_frame_either_is_taken():
    rows = [real("a", 3, track=0), real("a", 3, track=1), real("a", 4), fake("a", 3)]
    assert reals_beside(paired(*rows), 3) == {0, 1}


def test_a_video_of_another_data_set_or_compression_is_another_video():
    rows = [
        real("a", 0, dataset=name, compression=level) for name in ("x", "y", None) for level in ("c23", "c40", None)
    ]
    rows += [{**fake("a", 0), "dataset": row.get("dataset"), "compression": row.get("compression")} for row in rows]
    assert sorted(pairs_of(paired(*rows), 0)) == [(row, row + 9) for row in range(9)]


def test_fakes_without_a_known_real_are_left_out_and_counted():
    rows = [real("a", 0), crop(0, frame=0), fake("a", 0), fake("b", 0), crop(1, frame=0), fake("a_999", 0)]
    sampler = paired(*rows)
    assert pairs_of(sampler, 0) == [(0, 2)]
    assert sampler.num_left_out == 3


def test_which_of_a_pair_comes_first_is_chance():
    rows = [real("a", 0)] + [fake("a", 0)] * 60
    firsts = list(paired(*rows))[::2]
    assert 15 < firsts.count(0) < 45


def test_the_order_of_pairs_follows_from_seed_and_epoch_alone():
    rows = [real("a", frame) for frame in range(20)] + [fake("a", frame) for frame in range(20)]
    taken_up, whole = paired(*rows), paired(*rows)
    epochs_of_whole = [pairs_of(whole, epoch) for epoch in range(4)]
    assert pairs_of(taken_up, 3) == epochs_of_whole[3] != epochs_of_whole[2]
    assert epochs_of_whole[0] != pairs_of(paired(*rows, seed=2), 0)


SOURCES = st.sampled_from(["a", "b", None])
FRAMES = st.sampled_from([0, 1, 2, None])


@settings(max_examples=100, deadline=None)
@given(
    reals=st.lists(st.builds(real, SOURCES, FRAMES, dataset=SOURCES), max_size=6),
    fakes=st.lists(st.builds(fake, SOURCES, FRAMES, dataset=SOURCES), max_size=6),
    cut=st.integers(1, 11),
)
def test_pairs_are_those_that_a_search_row_by_row_allows(reals, fakes, cut):
    def allowed(row):
        same = [
            position
            for position, other in enumerate(reals)
            if row["original"] is not None and (row["original"], row["dataset"]) == (other["video"], other["dataset"])
        ]
        return [one for one in same if reals[one]["frame"] == row["frame"] is not None] or same

    wanted = {len(reals) + position: set(options) for position, row in enumerate(fakes) if (options := allowed(row))}
    assume(wanted)
    parts = [[*reals, *fakes][:cut], [*reals, *fakes][cut:]]  # a manifest that was put together
    manifest = Manifest.concatenate([Manifest.from_rows(part, root=Path("crops")) for part in parts if part])
    sampler = PairedSampler(manifest, seed=0)
    pairs = pairs_of(sampler, 0)
    assert sorted(fake_row for _, fake_row in pairs) == sorted(wanted)
    assert all(real_row in wanted[fake_row] for real_row, fake_row in pairs)
    assert sampler.num_left_out == len(fakes) - len(wanted)


def test_fakes_none_of_which_has_a_real_are_refused():
    with pytest.raises(
        ManifestError, match=r"cannot pair any of the 2 fakes .*: 1 have an `original`, .*; prepare reals and fakes"
    ):
        paired(real("a", 0), fake("b", 0), crop(1, frame=0))
    with pytest.raises(ManifestError, match="no rows to train on"):
        PairedSampler(Manifest.from_rows([real("a", 0)], root=Path("crops")).filter(label=1), seed=0)


@pytest.mark.parametrize("sampling", ["balanced", "paired", "all"])
def test_the_sampling_chooses_the_order(sampling):
    manifest = Manifest.from_rows([real("a", 0), real("a", 1), real("a", 2), fake("a", 0)], root=Path("crops"))
    order = build_sampler(manifest, sampling=sampling, seed=5)
    expected = {
        "balanced": BalancedSampler(manifest.labels, seed=5, balance=True),
        "paired": PairedSampler(manifest, seed=5),
        "all": BalancedSampler(manifest.labels, seed=5, balance=False),
    }[sampling]
    order.set_epoch(2)
    expected.set_epoch(2)
    assert list(order) == list(expected)
    assert order.num_left_out == 0
