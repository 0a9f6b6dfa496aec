import pytest
import torch
from pydantic import TypeAdapter

from realface.training.schedules import (
    ConstantSchedule,
    CosineSchedule,
    ScheduleConfig,
    StepSchedule,
    build_schedule,
    rate_factor,
)


def factors(schedule, steps, *, num_steps=100):
    return [rate_factor(schedule, step, num_steps=num_steps) for step in steps]


def test_constant_schedule_keeps_the_rate():
    assert factors(ConstantSchedule(), [0, 50, 99]) == [1.0, 1.0, 1.0]


def test_step_schedule_halves_the_rate_every_so_many_steps():
    assert factors(StepSchedule(every=10, gamma=0.5), [0, 9, 10, 19, 20]) == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_cosine_schedule_falls_from_one_over_a_half_to_the_final_share():
    assert factors(CosineSchedule(final_share=0.2), [0, 50, 100]) == pytest.approx([1.0, 0.6, 0.2])


def test_warm_up_rises_in_equal_parts_and_wastes_no_step_on_zero():
    assert factors(CosineSchedule(warmup_steps=4), [0, 1, 2, 3, 4]) == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_cosine_begins_after_the_warm_up():
    assert rate_factor(CosineSchedule(warmup_steps=20), 60, num_steps=100) == pytest.approx(0.5)


def test_warm_up_as_long_as_the_run_does_not_divide_by_zero():
    assert factors(CosineSchedule(warmup_steps=2), [0, 1, 2], num_steps=2) == pytest.approx([0.5, 1.0, 1.0])


def test_built_schedule_moves_the_optimisers_rate():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = build_schedule(StepSchedule(every=2, gamma=0.5), optimiser, num_steps=4)
    rates = []
    for _ in range(4):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05])


def test_recipe_names_the_schedule():
    read = TypeAdapter(ScheduleConfig).validate_python
    assert read({"name": "step", "every": 22500}) == StepSchedule(every=22500, gamma=0.5)
