"""The order in which real faces are drawn for pairs."""

from collections import Counter
from itertools import islice

import pytest

from realface.data.source_stream import BLOCK, SourceStream

SOURCES = ["stills"] * 90 + ["clips"] * 40
IDENTITIES = [str(row) for row in range(90)] + [str(row // 20) for row in range(40)]


def stream(*, balance=0.0, seed=0):
    return SourceStream(SOURCES, IDENTITIES, balance=balance, seed=seed)


def drawn(count, start=0, **settings):
    return list(islice(stream(**settings).draws(start), count))


def test_sources_are_drawn_equally_often_without_balance():
    counts = Counter(SOURCES[row] for _, row in drawn(2 * BLOCK))
    assert abs(counts["stills"] - counts["clips"]) <= 2


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.5), (0.5, 90**0.5 / (90**0.5 + 2**0.5)), (1.0, 90 / 92)])
def test_the_share_of_a_source_grows_with_its_identities(balance, share):
    assert stream(balance=balance).shares["stills"] == pytest.approx(share)


def test_all_identities_of_a_source_are_drawn_before_one_is_repeated():
    clips = [IDENTITIES[row] for _, row in drawn(400) if SOURCES[row] == "clips"]
    counts = Counter(clips)
    assert abs(counts["0"] - counts["1"]) <= len(clips) // 4
    total = Counter(IDENTITIES[row] for _, row in drawn(2 * BLOCK) if SOURCES[row] == "clips")
    assert abs(total["0"] - total["1"]) <= 1


def test_each_visit_of_a_row_has_its_own_number():
    draws = drawn(3000)
    assert len(set(draws)) == len(draws)
    visits = Counter(row for _, row in draws)
    assert all({visit for visit, row in draws if row == one} == set(range(visits[one])) for one in (0, 95))


def test_draws_follow_from_seed_and_position():
    whole = drawn(2500)
    for start in (1, 17, BLOCK, BLOCK + 3, 2400):
        assert drawn(100, start=start) == drawn(100 + start)[start:]
    assert whole[: BLOCK // 2] != drawn(BLOCK // 2, seed=1)
