import math

import numpy as np
import pytest

from realface.core.errors import MetricError
from realface.metrics.conformal import (
    FileScores,
    choose_range,
    conformal_threshold,
    fake_from,
    false_alarms,
    real_below,
    share_answered,
    share_found,
    smallest_number,
)


def files(scores, *, sources=None, identities=None):
    """One person per file, all of one source, unless given."""
    count = len(scores)
    return FileScores(
        np.array(scores, dtype=np.float64),
        np.array(sources or ["a"] * count),
        np.array(identities or [f"person {number}" for number in range(count)]),
    )


def joined(*parts):
    return FileScores(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def just_above(score):
    return pytest.approx(score, abs=1e-12)


def test_of_19_people_the_highest_score_bounds_false_alarms_at_5_percent():
    scores = np.linspace(0.01, 0.19, 19)  # ceil(20 * 0.95) = 19th smallest
    assert conformal_threshold(files(scores), alpha=0.05) == just_above(0.19)
    assert conformal_threshold(files(scores), alpha=0.05) > 0.19


def test_of_39_people_the_second_highest_score_is_taken():
    scores = np.linspace(0.01, 0.39, 39)  # ceil(40 * 0.95) = 38th smallest
    assert conformal_threshold(files(scores), alpha=0.05) == just_above(0.38)


def test_18_people_are_too_few_for_5_percent():
    assert smallest_number(0.05) == 19
    assert math.isinf(conformal_threshold(files([0.1] * 18), alpha=0.05))
    with pytest.raises(
        MetricError, match="18 people with a score are too few to bound false alarms at 5%; give scores"
    ):
        fake_from(files([0.1] * 18), alpha=0.05)


def test_files_of_one_person_share_what_the_person_counts():
    # person 0 has three files of 1/3 each; with 3 people and the unknown one: 1/12, 1/12, 1/12, 1/4, 1/4, and 1/4
    given = files([0.1, 0.2, 0.3, 0.4, 0.5], identities=["0", "0", "0", "1", "2"])
    assert list(given.weights()) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1, 1])
    assert conformal_threshold(given, alpha=0.5) == just_above(0.4)  # 3/12 + 1/4 = 0.5
    assert conformal_threshold(given, alpha=0.75) == just_above(0.3)  # 3/12 = 0.25


def test_a_name_is_another_person_in_another_source():
    given = files([0.1, 0.2], sources=["a", "b"], identities=["0", "0"])
    assert list(given.weights()) == [1, 1]


def test_sources_count_equally_whatever_their_sizes():
    # source a: 99 people at 0.1, 0.99 of its mass; b: 24 people at 0.8, 0.96 of its mass
    given = joined(files([0.1] * 99), files([0.8] * 24, sources=["b"] * 24))
    assert conformal_threshold(given, alpha=0.505) == just_above(0.1)  # 0.99 / 2 of the mass
    assert conformal_threshold(given, alpha=0.5) == just_above(0.8)


def test_a_source_of_few_people_counts_in_proportion_to_them():
    # b has a quarter of 20 people, so it counts a fifth of all; 5 of its mass of 6 are known
    given = joined(files([0.1] * 99), files([0.8] * 5, sources=["b"] * 5))
    assert conformal_threshold(given, alpha=1 - 0.8 * 0.99) == just_above(0.1)
    assert conformal_threshold(given, alpha=1 - 0.8 * 0.99 - 0.2 * 5 / 6) == just_above(0.8)
    assert math.isinf(conformal_threshold(given, alpha=1 - 0.8 * 0.99 - 0.2 * 5 / 6 - 1e-6))


def test_sources_of_few_people_are_joined():
    # 10 + 10 people are one source of 20, the 20th of which is the quantile at 0.05
    given = joined(files([0.1] * 10), files(np.linspace(0.2, 0.3, 10), sources=["b"] * 10))
    assert conformal_threshold(given, alpha=0.05) == just_above(0.3)
    assert conformal_threshold(joined(given, files([0.05] * 100, sources=["c"] * 100)), alpha=0.05) == just_above(0.3)


def test_the_strictest_source_with_20_people_decides():
    easy, hard = files(np.linspace(0, 0.3, 100)), files(np.linspace(0.5, 0.9, 20), sources=["b"] * 20)
    few = files([0.99] * 5, sources=["c"] * 5)
    assert fake_from(joined(easy, hard), alpha=0.05) == just_above(0.9)
    assert fake_from(joined(easy, files([0.99], sources=["c"])), alpha=0.3) < 0.99
    assert conformal_threshold(joined(easy, hard), alpha=0.1) < fake_from(joined(easy, hard), alpha=0.1)
    assert fake_from(joined(easy, few), alpha=0.4) < 0.99


def test_files_without_a_score_do_not_count():
    with_gaps = joined(files(np.linspace(0.01, 0.19, 19)), files([np.nan] * 50, sources=["b"] * 50))
    assert conformal_threshold(with_gaps, alpha=0.05) == just_above(0.19)


def test_without_any_score_there_is_no_threshold():
    with pytest.raises(MetricError, match="no file has a score; give files with faces of held-out people"):
        conformal_threshold(files([np.nan]), alpha=0.05)


def test_real_is_said_below_the_score_of_all_but_a_tenth_of_the_fakes():
    scores = np.linspace(0.31, 0.49, 19)  # floor(20 * 0.1) = 2nd smallest, strictly below it is real
    assert real_below(files(scores), beta=0.1, highest=0.9) == 0.32


def test_real_never_reaches_into_fake():
    assert real_below(files([0.8] * 30), beta=0.1, highest=0.4) == 0.4


def test_with_too_few_fakes_nothing_is_called_real():
    assert real_below(files([0.8] * 8), beta=0.1, highest=0.9) == 0.0
    assert real_below(files([]), beta=0.1, highest=0.9) == 0.0


def test_false_alarms_are_shares_of_the_answered_files_by_source():
    given = joined(files([0.1, 0.9, np.nan], identities=["0", "0", "1"]), files([0.5], sources=["b"]))
    assert false_alarms(given, 0.5) == {"a": 0.5, "b": 1.0}
    assert share_answered(given) == pytest.approx((0.5 + 1.0) / 2)


def test_a_range_that_leaves_out_soft_reals_is_chosen_if_more_fakes_are_found_then():
    fakes = files([0.5] * 10)
    wide = files([0.1] * 90 + [0.95] * 10)
    narrow = files([0.1] * 90 + [np.nan] * 10)
    half = files([0.5] * 5 + [np.nan] * 5)
    assert choose_range([[(wide, fakes)], [(narrow, fakes)], [(narrow, half)]], alpha=0.05) == 1
    assert choose_range([[(wide, fakes)], [(wide, half)]], alpha=0.05) == 0
    images, videos = (wide, fakes), (wide, files([]))
    assert choose_range([[images, videos], [(narrow, fakes), videos]], alpha=0.05) == 1


def test_the_widest_range_is_kept_where_no_other_helps():
    good, fakes = files(np.linspace(0, 0.2, 100)), files([0.9] * 10)
    assert choose_range([[(good, fakes)], [(good, fakes)]], alpha=0.05) == 0
    assert choose_range([[(good, files([]))], [(good, files([]))]], alpha=0.05) == 0
    few = files([0.1] * 5)
    assert choose_range([[(few, fakes)], [(good, fakes)]], alpha=0.05) == 1


def test_fakes_without_an_answer_are_not_found():
    given = joined(files([0.9, np.nan]), files([0.9, 0.9], sources=["b", "b"]))
    assert share_found(given, 0.5) == 0.75


@pytest.mark.parametrize("files_each", [1, 4])
def test_new_people_are_called_fake_as_rarely_as_promised(files_each):
    generator = np.random.default_rng(0)
    alpha, num_people, rates = 0.05, 60, []
    for _ in range(400):
        # a person's files resemble each other: half of the variance is the person's
        people = generator.normal(size=(num_people + 200, 1)) + generator.normal(size=(num_people + 200, files_each))
        known, new = people[:num_people], people[num_people:]
        names = [f"{number}" for number in range(num_people) for _ in range(files_each)]
        threshold = conformal_threshold(files(known.ravel(), identities=names), alpha=alpha)
        rates.append((new >= threshold).mean())
    assert 0.03 < np.mean(rates) <= alpha + 2 * np.std(rates) / np.sqrt(len(rates))
