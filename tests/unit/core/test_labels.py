from __future__ import annotations

from realface.core.labels import Label


def test_one_is_fake() -> None:
    assert (Label.REAL, Label.FAKE) == (0, 1)


def test_a_label_has_the_word_that_is_printed() -> None:
    assert [Label(0).word, Label(1).word] == ["real", "fake"]
