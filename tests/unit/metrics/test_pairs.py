"""Numbers of pairs with intervals over identities."""

import numpy as np
import pytest
from scipy.stats import binomtest

from realface.metrics.pairs import PairScores, false_alarm_rate, mean_auc, pair_order


def pairs(real, fake, identities=None):
    names = identities or [str(number) for number in range(len(real))]
    return PairScores(np.array(real, float), np.array(fake, float), names)


def test_mean_auc_is_that_worked_out_by_hand():
    first, second = pairs([0, 2], [1, 3]), pairs([0, 1], [1, 0])
    assert mean_auc([first]).value == pytest.approx(3 / 4)
    assert mean_auc([first, second]).value == pytest.approx((3 / 4 + 2 / 4) / 2)


def test_interval_of_the_auc_is_that_of_a_plain_bootstrap_over_identities():
    generator = np.random.default_rng(1)
    names = [str(number // 2) for number in range(20)]
    made = pairs(generator.normal(0, 1, 20), generator.normal(1, 1, 20), names)
    found = mean_auc([made], seed=3, num_resamples=400)
    chosen = np.random.default_rng(3).integers(10, size=(400, 10))
    drawn = []
    for people in chosen:
        rows = np.concatenate([[2 * person, 2 * person + 1] for person in people])
        real, fake = made.real[rows], made.fake[rows]
        drawn.append(np.mean(fake[:, None] > real[None, :]))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_pair_order_counts_equal_scores_half():
    found = pair_order(pairs([0, 2, 1, 0], [1, 1, 1, 2]))
    assert found.value == pytest.approx(2.5 / 4)
    assert found.low <= found.value <= found.high


def test_one_identity_gives_no_interval():
    alone = pairs([0, 1], [1, 2], ["me", "me"])
    for found in (mean_auc([alone]), pair_order(alone)):
        assert (found.low, found.high) == (None, None)
        assert found.reason == "no interval: only 1 identity, at least 2 are needed"


@pytest.mark.parametrize("hits", [0, 2, 20])
def test_false_alarms_have_the_clopper_pearson_interval(hits):
    found = false_alarm_rate(np.arange(20) < hits, [str(number) for number in range(20)])
    expected = binomtest(hits, 20).proportion_ci(0.95, method="exact")
    assert (found.value, found.low, found.high) == pytest.approx((hits / 20, expected.low, expected.high))


def test_many_videos_of_one_person_do_not_narrow_the_interval():
    once = false_alarm_rate(np.array([True, False]), ["a", "b"])
    often = false_alarm_rate(np.array([True, False] * 50), ["a", "b"] * 50)
    assert (once.low, once.high) == (often.low, often.high)
