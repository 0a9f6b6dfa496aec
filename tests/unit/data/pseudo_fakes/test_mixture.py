"""The recipe section of pseudo-fakes and the draw of kinds."""

from collections import Counter

import numpy as np
import pytest

from realface.core.errors import RecipeError
from realface.core.recipe import check_recipe
from realface.data.pseudo_fakes.contract import PseudoFake
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakeMixture, PseudoFakesSection, visible_change


def test_default_shares_are_known_kinds_that_need_no_command():
    kinds = PseudoFakesSection().kinds
    assert set(kinds) == {name for name, entry in KINDS.items() if entry.partner != "stored"}
    assert sum(kinds.values()) == pytest.approx(1)


def test_kinds_are_drawn_by_their_share():
    mixture = PseudoFakeMixture({"self_blend": 3, "mouth": 1, "swap": 0})
    counts = Counter(mixture.draw_kind(np.random.default_rng(seed)) for seed in range(400))
    assert set(counts) == {"self_blend", "mouth"}
    assert counts["self_blend"] / 400 == pytest.approx(0.75, abs=0.07)


def test_a_fake_that_changes_too_little_is_drawn_again(astronaut):
    faint = [
        visible_change(
            PseudoFakeMixture({"mouth": 1}, min_change=0).make("mouth", *astronaut, np.random.default_rng(s))
        )
        for s in range(20)
    ]
    strong = [
        visible_change(
            PseudoFakeMixture({"mouth": 1}, min_change=3).make("mouth", *astronaut, np.random.default_rng(s))
        )
        for s in range(20)
    ]
    assert min(strong) > min(faint)
    assert np.mean(np.array(strong) >= 3) > np.mean(np.array(faint) >= 3)


def test_attempts_do_not_change_what_is_drawn_afterwards(astronaut):
    after = []
    for min_change in (0, 100):
        generator = np.random.default_rng(1)
        PseudoFakeMixture({"parts": 1}, min_change=min_change).make("parts", *astronaut, generator)
        after.append(generator.random())
    assert after[0] == after[1]


def test_visible_change_is_the_mean_difference_inside_the_mask():
    real = np.zeros((4, 4, 3), dtype=np.uint8)
    fake, mask = real.copy(), np.zeros((4, 4), dtype=np.float32)
    fake[:2], mask[:2] = 8, 1.0
    assert visible_change(PseudoFake(fake, real, mask, "x", {})) == 8
    assert visible_change(PseudoFake(fake, real, np.zeros_like(mask), "x", {})) == 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"kinds": {"self-blend": 1}}, "unknown kinds self-blend; allowed are self_blend, swap"),
        ({"kinds": {}}, "frequencies must be >= 0 and at least one > 0"),
        ({"kinds": {"swap": -1}}, "frequencies must be >= 0 and at least one > 0"),
        ({"window": [0, 1]}, "window: must be two shares with 0 < low <= high <= 1, found 0.0 and 1.0"),
        ({"window": [0.9, 0.8]}, "window: must be two shares with 0 < low <= high <= 1, found 0.9 and 0.8"),
    ],
)
def test_a_faulty_section_says_what_is_allowed(settings, text):
    with pytest.raises(RecipeError, match=text):
        check_recipe(PseudoFakesSection, settings, where="recipe")
