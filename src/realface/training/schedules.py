"""Schedules of the learning rate, counted in steps, not in epochs.

A rate depends on the recipe and the steps taken only, and for `plateau` on two counts of validations. So a resumed run
has the same rates.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator
from torch.optim import Optimizer

from realface.core.recipe import Section


class ScheduleSection(Section):
    """Settings of every schedule."""

    name: str = Field(description="which schedule")
    warmup_steps: int = Field(
        0, ge=0, description="steps over which the rate rises linearly to `optim.lr`; the schedule begins after them"
    )


class ConstantSchedule(ScheduleSection):
    """The same rate throughout."""

    name: Literal["constant"] = Field("constant", description="`constant`")


class StepSchedule(ScheduleSection):
    """The rate is multiplied by `gamma` again and again."""

    name: Literal["step"] = Field("step", description="`step`")
    every: int = Field(ge=1, description="steps between two drops; RECCE on FF++: 22,500")
    gamma: float = Field(0.5, gt=0, le=1, description="factor of each drop. Source: RECCE; on WildDeepfake: 0.9")


class MultiStepSchedule(ScheduleSection):
    """The rate is multiplied by `gamma` at each of the named steps."""

    name: Literal["multi_step"] = Field("multi_step", description="`multi_step`")
    milestones: tuple[PositiveInt, ...] = Field(
        min_length=1, description="steps of the drops, rising, counted from the end of the warm-up"
    )
    gamma: float = Field(0.1, gt=0, le=1, description="factor of each drop")

    @field_validator("milestones")
    @classmethod
    def _rising(cls, milestones: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in pairwise(milestones)):
            raise ValueError(f"must rise from one to the next, got {list(milestones)}")
        return milestones


class ExponentialSchedule(ScheduleSection):
    """The rate falls smoothly, by the factor `gamma` over `every` steps."""

    name: Literal["exponential"] = Field("exponential", description="`exponential`")
    gamma: float = Field(gt=0, le=1, description="factor over `every` steps")
    every: int = Field(1, ge=1, description="steps over which the rate falls by `gamma`")


class CosineSchedule(ScheduleSection):
    """Half a cosine from the full rate down to `final_share` at the last step."""

    name: Literal["cosine"] = Field("cosine", description="`cosine`")
    final_share: float = Field(0.0, ge=0, le=1, description="share of `optim.lr` that is left at the end")


class CosineRestartsSchedule(ScheduleSection):
    """Half cosines in sequence, each from the full rate down to `final_share`."""

    name: Literal["cosine_restarts"] = Field("cosine_restarts", description="`cosine_restarts`")
    first_steps: int = Field(ge=1, description="length of the first half cosine, in steps")
    factor: int = Field(1, ge=1, description="how many times as long as the one before each half cosine is")
    final_share: float = Field(0.0, ge=0, le=1, description="share of `optim.lr` at the end of each half cosine")


class PlateauSchedule(ScheduleSection):
    """The rate is multiplied by `factor` when the validation no longer gets better.

    Validations during the warm-up do not count.
    """

    name: Literal["plateau"] = Field("plateau", description="`plateau`")
    factor: float = Field(0.1, gt=0, lt=1, description="factor of each drop")
    patience: int = Field(
        10, ge=0, description="validations in a row without a new best value of `selection.metric` that are put up with"
    )
    min_share: float = Field(0.0, ge=0, le=1, description="share of `optim.lr` below which the rate does not fall")


AnySchedule = (
    ConstantSchedule
    | StepSchedule
    | MultiStepSchedule
    | ExponentialSchedule
    | CosineSchedule
    | CosineRestartsSchedule
    | PlateauSchedule
)
ScheduleConfig = Annotated[AnySchedule, Field(discriminator="name")]


def rate_factor(config: AnySchedule, step: int, *, num_steps: int, num_drops: int = 0) -> float:
    """Return the factor of `optim.lr` at a step.

    Args:
        config: section `schedule` of the recipe.
        step: steps already taken, from 0.
        num_steps: length of the run.
        num_drops: number of times that the validation stopped getting better; for `plateau` only.

    Returns:
        In [0, 1]. The first step of a warm-up has 1 / warmup_steps, so no step is wasted on a rate of 0.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    step -= config.warmup_steps
    match config:
        case ConstantSchedule():
            return 1.0
        case StepSchedule():
            return config.gamma ** (step // config.every)
        case MultiStepSchedule():
            return config.gamma ** bisect_right(config.milestones, step)
        case ExponentialSchedule():
            return math.pow(config.gamma, step / config.every)
        case CosineSchedule():
            share_done = step / max(num_steps - config.warmup_steps, 1)
            return _half_cosine(min(share_done, 1.0), config.final_share)
        case CosineRestartsSchedule():
            return _half_cosine(_share_of_cycle(config, step), config.final_share)
        case PlateauSchedule():
            return max(config.factor**num_drops, config.min_share)


def _half_cosine(share_done: float, final_share: float) -> float:
    return final_share + (1 - final_share) * (1 + math.cos(math.pi * share_done)) / 2


def _share_of_cycle(config: CosineRestartsSchedule, step: int) -> float:
    """Return the share of the current half cosine that is done at a step, in [0, 1)."""
    length = config.first_steps
    if config.factor == 1:
        return step % length / length
    while step >= length:
        step -= length
        length *= config.factor
    return step / length


class Schedule:
    """Sets an optimiser's learning rate, step by step.

    The full rate is the rate with which the optimiser was built, even if its state was loaded since. A schedule's own
    state is three counts; restore the optimiser's first, because it brings a rate with it.

    Args:
        config: section `schedule` of the recipe.
        optimiser: every group gets the first step's rate at once. A group's full rate is its `initial_lr` if present,
            else the optimiser's.
        num_steps: length of the run.
    """

    def __init__(self, config: AnySchedule, optimiser: Optimizer, *, num_steps: int) -> None:
        self._config = config
        self._optimiser = optimiser
        self._num_steps = num_steps
        full_rate = float(optimiser.defaults["lr"])
        self._full_rates = [float(group.get("initial_lr", full_rate)) for group in optimiser.param_groups]
        self._steps = 0
        self._num_drops = 0
        self._num_stale = 0
        self._set_rate()

    @property
    def rate(self) -> float:
        """The rate of the next step, of the optimiser's first group."""
        return float(self._optimiser.param_groups[0]["lr"])

    def step(self) -> None:
        """Advance by one step; call it after every step of the optimiser."""
        self._steps += 1
        self._set_rate()

    def observe(self, improved: bool) -> None:
        """Take note of a validation; call it in every process.

        Args:
            improved: whether the selection metric was better than in all validations before.
        """
        if not isinstance(self._config, PlateauSchedule) or self._steps < self._config.warmup_steps:
            return
        self._num_stale = 0 if improved else self._num_stale + 1
        if self._num_stale > self._config.patience:
            self._num_stale = 0
            self._num_drops += 1
            self._set_rate()

    def state_dict(self) -> dict[str, int]:
        """Return the counts that determine the rate."""
        return {"steps": self._steps, "num_drops": self._num_drops, "num_stale": self._num_stale}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from the counts of another run, and set the rate that follows from them."""
        self._steps, self._num_drops, self._num_stale = state["steps"], state["num_drops"], state["num_stale"]
        self._set_rate()

    def _set_rate(self) -> None:
        factor = rate_factor(self._config, self._steps, num_steps=self._num_steps, num_drops=self._num_drops)
        for group, full_rate in zip(self._optimiser.param_groups, self._full_rates, strict=True):
            group["lr"] = full_rate * factor


def build_schedule(config: AnySchedule, optimiser: Optimizer, *, num_steps: int) -> Schedule:
    """Return the schedule of an optimiser."""
    return Schedule(config, optimiser, num_steps=num_steps)
