"""The labels `real` and `fake`."""

from __future__ import annotations

from enum import IntEnum


class Label(IntEnum):
    """The label of an image or video. 1 is fake, so a score is the probability of a fake."""

    REAL = 0
    FAKE = 1

    @property
    def word(self) -> str:
        """`real` or `fake`, as printed."""
        return self.name.lower()
