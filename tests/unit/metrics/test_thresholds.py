import numpy as np
import pytest

from realface.core.errors import MetricError
from realface.metrics.thresholds import DEFAULT_THRESHOLD, choose_threshold, threshold_on_reals


def choose(labels, scores, **options):
    return choose_threshold(np.array(labels, dtype=np.int64), np.array(scores, dtype=np.float64), **options)


def test_separable_scores_get_the_middle_of_the_gap():
    assert choose([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == pytest.approx(0.5)


def test_the_best_balance_is_found_when_classes_are_unequal():
    # from 0.65 up: all of 1 real and 3 of 4 fakes right (0.875); calling everything fake would be more accurate
    assert choose([1, 0, 1, 1, 1], [0.2, 0.6, 0.7, 0.8, 0.9]) == pytest.approx(0.65)


def test_of_equally_good_thresholds_the_middle_one_is_taken():
    # at 0.25, 0.45 and 0.65 the balanced accuracy is 0.75 each time, elsewhere it is less
    assert choose([0, 0, 1, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]) == pytest.approx(0.45)


def test_of_two_equally_good_thresholds_the_lower_one_is_taken():
    # 0.15 and 0.75 are equally good, 0.45 between them is worse
    assert choose([0, 1, 0, 1], [0.1, 0.2, 0.7, 0.8]) == pytest.approx(0.15)


def test_the_rule_of_equal_errors_balances_both_kinds():
    # from 0.5 up one fake of three is missed (0.3) and one real of three is called fake (0.7)
    assert choose([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.8, 0.9], rule="equal_error") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([], []), ([0, 0], [0.1, 0.9]), ([1], [0.3]), ([0, 1], [0.7, 0.7]), ([1, 0], [0.1, 0.9])],
)
def test_without_anything_to_choose_by_the_default_stays(labels, scores):
    assert choose(labels, scores) == DEFAULT_THRESHOLD


def test_an_unknown_rule_is_refused_with_the_known_ones():
    with pytest.raises(MetricError, match="no threshold rule 'best'; known: balanced_accuracy, equal_error"):
        choose([0, 1], [0.1, 0.9], rule="best")


@pytest.mark.parametrize(
    ("rate", "threshold"),
    [
        (0.25, 0.7),  # one of four: between 0.6 and 0.8
        (0.49, 0.7),
        (0.5, 0.5),
        (0.75, 0.3),
    ],
)
def test_at_most_the_share_of_reals_is_called_fake(rate, threshold):
    scores = np.array([0.8, 0.2, 0.6, 0.4])
    assert threshold_on_reals(scores, false_positive_rate=rate) == pytest.approx(threshold)


def test_share_below_one_video_puts_the_threshold_just_above_all_of_them():
    chosen = threshold_on_reals(np.array([0.2, 0.4]), false_positive_rate=0.05)
    assert 0.4 < chosen < 0.4 + 1e-9


def test_reals_with_one_score_are_called_fake_together_or_not_at_all():
    assert threshold_on_reals(np.array([0.1, 0.2, 0.9, 0.9]), false_positive_rate=0.25) == pytest.approx(0.9)
    assert threshold_on_reals(np.array([0.1, 0.2, 0.9, 0.9]), false_positive_rate=0.5) == pytest.approx(0.55)


def test_threshold_on_reals_stays_within_the_scores():
    assert threshold_on_reals(np.array([0.3, 1.0]), false_positive_rate=0.0) == 1.0


def test_share_of_a_count_is_taken_exactly():
    scores = np.arange(100) / 100
    for count in range(1, 100):
        assert (scores >= threshold_on_reals(scores, false_positive_rate=count / 100)).sum() == count
