"""Choice of the kind of pseudo-fake for each sample: a recipe section and the random draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from realface.core.recipe import Section
from realface.data.degradations.draw import DegradationsSection
from realface.data.pseudo_fakes.contract import Image, Landmarks, Partner, PseudoFake
from realface.data.pseudo_fakes.kinds import KINDS

DEFAULT_SHARES = {
    "self_blend": 0.38,
    "swap": 0.18,
    "video_blend": 0.06,
    "parts": 0.1,
    "mouth": 0.12,
    "smooth_bilateral": 0.04,
    "smooth_denoise": 0.04,
    "smooth_resample": 0.04,
    "smooth_beauty": 0.04,
}
"""Ours. `resynthesis` is missing because it needs images that a command computes first."""

NUM_ATTEMPTS = 6
"""Draws before the most visible of them is taken."""


class PseudoFakesSection(Section):
    """Fakes that are made from the real crops of a run, one for each real crop."""

    kinds: dict[str, float] = Field(
        DEFAULT_SHARES, description="name: relative frequency of each kind; missing kinds are not used"
    )
    min_change: float = Field(
        1.5,
        ge=0,
        description="mean difference from the real inside the mask, in grey levels, below which a fake is drawn again",
    )
    window: tuple[float, float] = Field(
        (0.85, 1.0), description="range of the side of the window that is cut out of a crop, as a share of its side"
    )
    averaged: float = Field(
        0.5,
        ge=0,
        le=1,
        description="probability that a window is shrunk by averaging areas; all other windows are shrunk bilinearly, "
        "the method of `detect`",
    )
    flip: float = Field(0.5, ge=0, le=1, description="probability that a pair is mirrored")
    degradations: DegradationsSection | None = Field(
        DegradationsSection(), description="one draw for both images of a pair; null: none"
    )

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, kinds: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise ValueError(f"unknown kinds {', '.join(unknown)}; allowed are {', '.join(KINDS)}")
        if min(kinds.values(), default=0) < 0 or sum(kinds.values()) <= 0:
            raise ValueError("frequencies must be >= 0 and at least one > 0")
        return kinds

    @model_validator(mode="after")
    def _window_inside_the_crop(self) -> Self:
        low, high = self.window
        if not 0 < low <= high <= 1:
            raise ValueError(f"window: must be two shares with 0 < low <= high <= 1, found {low} and {high}")
        return self


class PseudoFakeMixture:
    """Draws the kind of a pseudo-fake and makes it.

    Args:
        shares: name in `KINDS`: relative frequency.
        min_change: mean difference inside the mask, in grey levels, below which a fake is drawn again.
    """

    def __init__(self, shares: Mapping[str, float], *, min_change: float = 1.5) -> None:
        self._names = [name for name, share in shares.items() if share > 0]
        weights = np.array([shares[name] for name in self._names])
        self._shares = weights / weights.sum()
        self._min_change = min_change

    def draw_kind(self, generator: np.random.Generator) -> str:
        """Return the name of a kind, drawn by the shares."""
        return self._names[int(generator.choice(len(self._names), p=self._shares))]

    def make(
        self,
        kind: str,
        image: Image,
        landmarks: Landmarks,
        generator: np.random.Generator,
        partner: Partner | None = None,
    ) -> PseudoFake:
        """Make a fake that differs visibly from its real.

        Args:
            kind: name in `KINDS`.
            image: (H, W, 3) uint8 RGB, a crop of a real face.
            landmarks: (5, 2) or (468, 2 or 3), in pixels of the image.
            generator: source of all randomness. Exactly one number is drawn, so that later draws do not depend on the
                number of attempts.
            partner: partner of the kind, see `Kind`.

        Returns:
            The first of up to six draws that changes the image enough, or the draw that changes it most.
        """
        seed = int(generator.integers(2**63))
        best, best_change = None, -1.0
        for attempt in range(NUM_ATTEMPTS):
            fake = KINDS[kind].make(image, landmarks, np.random.default_rng((seed, attempt)), partner)
            change = visible_change(fake)
            if change > best_change:
                best, best_change = fake, change
            if change >= self._min_change:
                break
        assert best is not None
        return best


def visible_change(fake: PseudoFake) -> float:
    """Return the mean absolute difference of a fake from its real inside the mask, in grey levels."""
    inside = fake.mask > 0.1 * fake.mask.max()
    if not inside.any():
        return 0.0
    difference = np.abs(fake.image[inside].astype(np.int16) - fake.real[inside])
    return float(difference.mean())
