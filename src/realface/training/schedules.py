"""How the learning rate changes over a run, counted in steps, never in epochs."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from realface.core.recipe import Section


class ConstantSchedule(Section):
    """The same rate throughout."""

    name: Literal["constant"] = Field("constant", description="`constant`")
    warmup_steps: int = Field(0, ge=0, description="steps over which the rate rises linearly to `optim.lr`")


class StepSchedule(Section):
    """The rate is multiplied by `gamma` again and again."""

    name: Literal["step"] = Field("step", description="`step`")
    every: int = Field(ge=1, description="steps between two drops; RECCE on FF++: 22,500")
    gamma: float = Field(0.5, gt=0, le=1, description="factor of each drop; RECCE: 0.5")
    warmup_steps: int = Field(0, ge=0, description="steps over which the rate rises linearly to `optim.lr`")


class CosineSchedule(Section):
    """Half a cosine from the full rate down to `final_share` at the last step."""

    name: Literal["cosine"] = Field("cosine", description="`cosine`")
    final_share: float = Field(0.0, ge=0, le=1, description="share of `optim.lr` that is left at the end")
    warmup_steps: int = Field(0, ge=0, description="steps over which the rate rises linearly to `optim.lr`")


AnySchedule = ConstantSchedule | StepSchedule | CosineSchedule
ScheduleConfig = Annotated[AnySchedule, Field(discriminator="name")]


def rate_factor(schedule: AnySchedule, step: int, *, num_steps: int) -> float:
    """What `optim.lr` is multiplied by at a step.

    Args:
        schedule: the recipe's section.
        step: steps already taken, from 0.
        num_steps: length of the run.

    Returns:
        In [0, 1]. The first step of a warm-up has 1 / warmup_steps, so no step is wasted on a rate of 0.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    match schedule:
        case StepSchedule():
            return schedule.gamma ** (step // schedule.every)
        case CosineSchedule():
            share_done = (step - schedule.warmup_steps) / max(num_steps - schedule.warmup_steps, 1)
            cosine = (1 + math.cos(math.pi * min(share_done, 1.0))) / 2
            return schedule.final_share + (1 - schedule.final_share) * cosine
        case ConstantSchedule():
            return 1.0


def build_schedule(schedule: AnySchedule, optimiser: Optimizer, *, num_steps: int) -> LambdaLR:
    """The schedule as torch has it, to be stepped once after every step of the optimiser."""
    return LambdaLR(optimiser, lambda step: rate_factor(schedule, step, num_steps=num_steps))
