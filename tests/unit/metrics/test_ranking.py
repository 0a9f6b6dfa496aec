from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realface.core.errors import MetricError
from realface.metrics import ranking


def pair_counting_auc(labels, scores):
    pairs = [(s, t) for (a, s), (b, t) in product(zip(labels, scores, strict=True), repeat=2) if a == 1 and b == 0]
    return sum((s > t) + 0.5 * (s == t) for s, t in pairs) / len(pairs)


def swept_eer(labels, scores):
    """Walk the straight pieces of the ROC curve in small steps to the nearest point of equal errors."""
    thresholds = [np.inf, *sorted(set(scores), reverse=True)]
    points = np.array([[(scores >= t)[labels == c].mean() for c in (0, 1)] for t in thresholds])
    walk = np.concatenate([np.linspace(a, b, 2001) for a, b in pairwise(points)])
    return walk[np.abs(walk[:, 0] - (1 - walk[:, 1])).argmin(), 0]


two_class_scores = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=14).filter(
    lambda rows: {label for label, _ in rows} == {0, 1}
)


@given(two_class_scores)
@settings(deadline=None)
def test_auc_counts_pairs_with_ties_as_one_half(rows):
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] / 6 for r in rows])
    assert ranking.auc(labels, scores) == pytest.approx(pair_counting_auc(labels, scores))


@given(two_class_scores)
@settings(deadline=None)
def test_eer_is_where_the_interpolated_curve_has_equal_errors(rows):
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] / 6 for r in rows])
    assert ranking.eer(labels, scores) == pytest.approx(swept_eer(labels, scores), abs=1e-3)


def test_eer_of_a_worked_case():
    # called fake from 0.7: both fakes but one, no real; from 0.5: one real of 3 more. The line from (0, 1/2) to
    # (1/3, 1/2) crosses fpr = 1 - tpr only beyond; from (1/3, 1/2) to (1/3, 1) it crosses at fpr = 1/3.
    labels, scores = np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.5, 0.4, 0.7])
    assert ranking.eer(labels, scores) == pytest.approx(1 / 3)


def test_eer_is_interpolated_when_all_scores_are_equal():
    assert ranking.eer(np.array([0, 1, 1, 1]), np.full(4, 0.5)) == pytest.approx(0.5)


def test_numbers_of_a_worked_case():
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.2, 0.5, 0.6, 0.9])
    numbers = ranking.measure(labels, scores, threshold=0.5)
    assert numbers["auc"] == pytest.approx(3 / 4)  # of four pairs only (0.5, 0.6) is the wrong way round
    assert numbers["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert numbers["accuracy"] == pytest.approx(3 / 4)  # a score at the threshold is called fake
    assert numbers["log_loss"] == pytest.approx(-np.log([0.8, 0.5, 0.4, 0.9]).mean())
    assert numbers["eer"] == pytest.approx(0.5)
    assert tuple(numbers) == ranking.METRICS


@pytest.mark.parametrize(
    ("labels", "reason"),
    [([0, 0], "only reals here; fakes are needed too"), ([1], "only fakes here; reals are needed"), ([], "no rows")],
)
def test_one_class_is_refused_with_the_reason(labels, reason):
    with pytest.raises(MetricError, match=reason):
        ranking.measure(np.array(labels, dtype=np.int64), np.linspace(0, 1, len(labels)), threshold=0.5)
