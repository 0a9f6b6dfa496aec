"""What a label means, everywhere."""

from __future__ import annotations

from enum import IntEnum


class Label(IntEnum):
    """1 is fake: a score is the probability of a forgery."""

    REAL = 0
    FAKE = 1

    @property
    def word(self) -> str:
        """`real` or `fake`, as printed."""
        return self.name.lower()
