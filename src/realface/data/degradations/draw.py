"""Choice of the degradations of an image: a recipe section, and a random draw that several images can share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from realface.core.recipe import Section
from realface.data.degradations.codecs import H264, JPEG, WEBP
from realface.data.degradations.noise import GAUSSIAN_NOISE, ISO_NOISE
from realface.data.degradations.operator import NUM_LEVELS, Image, Operator
from realface.data.degradations.resampling import BLUR, RESIZE
from realface.data.degradations.social_media import SOCIAL_MEDIA
from realface.data.degradations.tones import BRIGHTNESS, CONTRAST, GAMMA, SATURATION

OPERATORS: dict[str, Operator] = {
    operator.name: operator
    for operator in (
        JPEG,
        WEBP,
        H264,
        RESIZE,
        BLUR,
        GAUSSIAN_NOISE,
        ISO_NOISE,
        GAMMA,
        BRIGHTNESS,
        CONTRAST,
        SATURATION,
        SOCIAL_MEDIA,
    )
}

DEFAULT_SHARES = {
    "jpeg": 3.0,
    "webp": 0.7,
    "h264": 2.0,
    "resize": 3.0,
    "blur": 1.0,
    "gaussian_noise": 0.6,
    "iso_noise": 0.6,
    "gamma": 0.6,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "social_media": 1.0,
}
"""Ours: mostly compression and resizing, which nearly every file on the web went through."""


class DegradationsSection(Section):
    """Degradations of the training crops."""

    probability: float = Field(0.7, ge=0, le=1, description="probability that a crop is degraded at all")
    max_operators: int = Field(
        3, ge=1, description="largest number of operators in a chain; each number from 1 on is equally likely"
    )
    operators: dict[str, float] = Field(
        DEFAULT_SHARES, description="name: relative frequency of each operator; missing operators are not used"
    )
    levels: list[float] = Field(
        [1.0, 1.0, 1.0, 0.6, 0.3],
        min_length=NUM_LEVELS,
        max_length=NUM_LEVELS,
        description="relative frequency of each of the five levels, mildest first",
    )

    @field_validator("operators")
    @classmethod
    def _known_operators(cls, operators: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(operators) - set(OPERATORS)):
            raise ValueError(f"unknown operators {', '.join(unknown)}; allowed are {', '.join(sorted(OPERATORS))}")
        return operators

    @model_validator(mode="after")
    def _something_to_draw(self) -> Self:
        for name, shares in (("operators", list(self.operators.values())), ("levels", self.levels)):
            if min(shares, default=0) < 0 or sum(shares) <= 0:
                raise ValueError(f"{name}: frequencies must be >= 0 and at least one > 0")
        return self


@dataclass(frozen=True)
class DegradationStep:
    """One operator of a chain.

    Attributes:
        operator: name in `OPERATORS`.
        level: strength, from 1 to 5.
        seed: seed of all randomness in the operator, noise included.
    """

    operator: str
    level: int
    seed: int


@dataclass(frozen=True)
class Degradation:
    """A drawn chain of operators. Applied to two images of one size, it does exactly the same to both.

    Attributes:
        steps: in the order in which they are applied; empty = nothing is changed.
    """

    steps: tuple[DegradationStep, ...] = ()

    def __call__(self, image: Image) -> Image:
        """Degrade one image, (H, W, 3) RGB, which is not modified."""
        return self.clip([image])[0]

    def clip(self, frames: Sequence[Image]) -> list[Image]:
        """Degrade the frames of a clip: equal settings for all, new noise for each, one encoding of the whole clip."""
        degraded = list(frames)
        for step in self.steps:
            draw = OPERATORS[step.operator].draw
            degraded = draw(step.level, np.random.default_rng(step.seed))(degraded)
        return degraded


def draw_degradations(config: DegradationsSection, generator: np.random.Generator) -> Degradation:
    """Draw a chain of operators.

    Args:
        config: section with the operators and the frequency of each operator.
        generator: source of everything random.

    Returns:
        The chain, in the order from camera to viewer; no operator occurs twice.
    """
    if generator.random() >= config.probability:
        return Degradation()
    names = [name for name, share in config.operators.items() if share > 0]
    shares = np.array([config.operators[name] for name in names])
    count = min(int(generator.integers(1, config.max_operators + 1)), len(names))
    chosen = generator.choice(len(names), size=count, replace=False, p=shares / shares.sum())
    frequencies = np.array(config.levels)
    steps = [
        DegradationStep(
            operator=names[index],
            level=1 + int(generator.choice(NUM_LEVELS, p=frequencies / frequencies.sum())),
            seed=int(generator.integers(2**63)),
        )
        for index in chosen
    ]
    return Degradation(tuple(sorted(steps, key=lambda step: OPERATORS[step.operator].stage)))
