import pytest
import torch
from lightning.fabric import Fabric
from pydantic import TypeAdapter, ValidationError
from torch.optim import lr_scheduler

from realface.training.schedules import (
    ConstantSchedule,
    CosineRestartsSchedule,
    CosineSchedule,
    ExponentialSchedule,
    MultiStepSchedule,
    PlateauSchedule,
    ScheduleConfig,
    StepSchedule,
    build_schedule,
    rate_factor,
)

ALL = [
    ConstantSchedule(warmup_steps=3),
    StepSchedule(every=4, gamma=0.5, warmup_steps=3),
    MultiStepSchedule(milestones=(3, 9), gamma=0.3, warmup_steps=3),
    ExponentialSchedule(gamma=0.9, every=7, warmup_steps=3),
    CosineSchedule(final_share=0.1, warmup_steps=3),
    CosineRestartsSchedule(first_steps=3, factor=2, final_share=0.1, warmup_steps=3),
    PlateauSchedule(factor=0.5, patience=1, warmup_steps=3),
]
each_schedule = pytest.mark.parametrize("config", ALL, ids=lambda config: config.name)


def factors(config, steps, *, num_steps=100):
    return [rate_factor(config, step, num_steps=num_steps) for step in steps]


def sgd(lr=0.1):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rates(schedule, optimiser, num_steps, *, improved=(), every=5):
    """The rate of each step; a validation after every so many of them, with what it found."""
    seen, validations = [], iter(improved)
    for step in range(1, num_steps + 1):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
        if step % every == 0:
            schedule.observe(next(validations, False))
    return seen


def rates_of_torch(build, num_steps):
    optimiser = sgd()
    schedule = build(optimiser)
    seen = []
    for _ in range(num_steps):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(
    ("config", "of_torch"),
    [
        (StepSchedule(every=7, gamma=0.5), lambda optimiser: lr_scheduler.StepLR(optimiser, 7, gamma=0.5)),
        (
            MultiStepSchedule(milestones=(5, 6, 30), gamma=0.3),
            lambda optimiser: lr_scheduler.MultiStepLR(optimiser, [5, 6, 30], gamma=0.3),
        ),
        (ExponentialSchedule(gamma=0.97), lambda optimiser: lr_scheduler.ExponentialLR(optimiser, 0.97)),
        (
            CosineSchedule(final_share=0.2),
            lambda optimiser: lr_scheduler.CosineAnnealingLR(optimiser, T_max=60, eta_min=0.02),
        ),
        (
            CosineRestartsSchedule(first_steps=7, final_share=0.2),
            lambda optimiser: lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=7, eta_min=0.02),
        ),
        (
            CosineRestartsSchedule(first_steps=5, factor=3),
            lambda optimiser: lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=5, T_mult=3),
        ),
    ],
)
def test_rates_are_those_of_torchs_schedule(config, of_torch):
    optimiser = sgd()
    ours = rates(build_schedule(config, optimiser, num_steps=60), optimiser, 60)
    assert ours == pytest.approx(rates_of_torch(of_torch, 60), rel=1e-9)


@pytest.mark.parametrize(("patience", "min_share"), [(0, 0.0), (2, 0.0), (1, 0.3)])
def test_plateau_drops_when_torchs_does(patience, min_share):
    found = [0.5, 0.6, 0.6, 0.6, 0.5, 0.7, 0.7, 0.6, 0.6, 0.6, 0.7, 0.6, 0.8, 0.7, 0.7]
    ours, theirs = sgd(), sgd()
    schedule = build_schedule(
        PlateauSchedule(factor=0.5, patience=patience, min_share=min_share), ours, num_steps=len(found)
    )
    of_torch = lr_scheduler.ReduceLROnPlateau(
        theirs, mode="max", factor=0.5, patience=patience, threshold=0, threshold_mode="abs", min_lr=0.1 * min_share
    )
    for index, auc in enumerate(found):
        schedule.step()
        schedule.observe(auc > max(found[:index], default=0))
        of_torch.step(auc)
        assert schedule.rate == pytest.approx(theirs.param_groups[0]["lr"]), index
    assert schedule.rate < 0.1


def test_constant_schedule_keeps_the_rate():
    assert factors(ConstantSchedule(), [0, 50, 99]) == [1.0, 1.0, 1.0]


def test_step_schedule_halves_the_rate_every_so_many_steps():
    assert factors(StepSchedule(every=10, gamma=0.5), [0, 9, 10, 19, 20]) == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_multi_step_schedule_drops_at_its_milestones():
    assert factors(MultiStepSchedule(milestones=(2, 5), gamma=0.5), [1, 2, 4, 5]) == [1.0, 0.5, 0.5, 0.25]


def test_exponential_schedule_falls_smoothly_by_gamma_over_every_steps():
    schedule = ExponentialSchedule(gamma=0.25, every=10)
    assert factors(schedule, [0, 5, 10, 20]) == pytest.approx([1.0, 0.5, 0.25, 0.0625])


def test_cosine_schedule_falls_from_one_over_a_half_to_the_final_share():
    assert factors(CosineSchedule(final_share=0.2), [0, 50, 100]) == pytest.approx([1.0, 0.6, 0.2])


def test_cosine_restarts_start_again_ever_later():
    schedule = CosineRestartsSchedule(first_steps=10, factor=2, final_share=0.2)
    assert factors(schedule, [0, 5, 10, 20, 30, 50, 70]) == pytest.approx([1.0, 0.6, 1.0, 0.6, 1.0, 0.6, 1.0])


def test_plateau_counts_the_validations_since_the_best_or_the_last_drop():
    optimiser = sgd(lr=1.0)
    schedule = build_schedule(PlateauSchedule(factor=0.5, patience=1), optimiser, num_steps=8)
    seen = []
    for improved in (True, False, True, False, False, False, False):
        schedule.observe(improved)
        seen.append(schedule.rate)
    assert seen == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]


def test_plateau_counts_no_validation_of_the_warm_up():
    schedule = build_schedule(PlateauSchedule(factor=0.5, patience=0, warmup_steps=2), sgd(lr=1.0), num_steps=8)
    for _ in range(2):
        schedule.observe(False)
        schedule.step()
    assert schedule.rate == 1.0
    schedule.observe(False)
    assert schedule.rate == 0.5


@pytest.mark.parametrize("config", [config for config in ALL if config.name != "plateau"])
def test_only_plateau_heeds_the_validation(config):
    schedule = build_schedule(config, sgd(), num_steps=50)
    for _ in range(5):
        schedule.step()
    before = schedule.rate
    for _ in range(20):
        schedule.observe(False)
    assert schedule.rate == before


@each_schedule
def test_warm_up_rises_in_equal_parts_and_wastes_no_step_on_zero(config):
    assert factors(config, [0, 1, 2, 3]) == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])


@each_schedule
def test_schedule_begins_after_the_warm_up(config):
    late = factors(config, range(3, 40), num_steps=43)
    assert late == factors(config.model_copy(update={"warmup_steps": 0}), range(37), num_steps=40)


def test_warm_up_as_long_as_the_run_does_not_divide_by_zero():
    assert factors(CosineSchedule(warmup_steps=2), [0, 1, 2], num_steps=2) == pytest.approx([0.5, 1.0, 1.0])


@each_schedule
def test_resumed_schedule_has_the_very_rates_of_one_that_was_not_interrupted(config):
    improved = [True, False, False, True, False, False, False, False]
    optimiser = sgd()
    straight = rates(build_schedule(config, optimiser, num_steps=40), optimiser, 40, improved=improved)

    first = sgd()
    interrupted = build_schedule(config, first, num_steps=40)
    before = rates(interrupted, first, 15, improved=improved[:3])
    second = sgd()
    second.load_state_dict(first.state_dict())
    resumed = build_schedule(config, second, num_steps=40)
    resumed.load_state_dict(interrupted.state_dict())
    assert before + rates(resumed, second, 25, improved=improved[3:]) == straight


def test_full_rate_is_the_recipes_even_on_an_optimiser_restored_with_another():
    restored = sgd(lr=0.1)
    restored.load_state_dict(sgd(lr=0.003).state_dict())
    schedule = build_schedule(ConstantSchedule(), restored, num_steps=10)
    assert schedule.rate == 0.1


def test_restored_schedule_sets_the_rate_that_a_restored_optimiser_brought():
    optimiser = sgd(lr=0.1)
    schedule = build_schedule(StepSchedule(every=2, gamma=0.5), optimiser, num_steps=10)
    optimiser.load_state_dict(sgd(lr=7.0).state_dict())
    schedule.load_state_dict({"steps": 2, "num_drops": 0, "num_stale": 0})
    assert (schedule.rate, optimiser.param_groups[0]["lr"]) == (0.05, 0.05)


def test_every_group_gets_the_rate_also_behind_fabrics_wrapper():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "weight_decay": decay} for decay in (0.0, 0.5)]
    optimiser = torch.optim.AdamW(groups, lr=0.1)
    _, wrapped = Fabric(accelerator="cpu", devices=1).setup(torch.nn.Linear(1, 1), optimiser)
    wrapped.load_state_dict(wrapped.state_dict())  # replaces the groups that the optimiser was built with
    schedule = build_schedule(StepSchedule(every=1, gamma=0.5), wrapped, num_steps=4)
    schedule.step()
    assert [group["lr"] for group in optimiser.param_groups] == [0.05, 0.05]


def test_milestones_that_do_not_rise_are_refused():
    with pytest.raises(ValidationError, match=r"must rise from one to the next, got \[5, 5\]"):
        MultiStepSchedule(milestones=(5, 5))


@each_schedule
def test_recipe_names_the_schedule(config):
    assert TypeAdapter(ScheduleConfig).validate_python(config.model_dump(mode="json")) == config


def two_rates():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]}, {"params": [torch.nn.Parameter(torch.zeros(1))]}]
    groups[1] |= {"lr": 0.1, "initial_lr": 0.1}
    return torch.optim.SGD(groups, lr=0.4)


def test_each_group_has_its_share_of_its_own_full_rate():
    optimiser = two_rates()
    schedule = build_schedule(StepSchedule(every=1, gamma=0.5), optimiser, num_steps=10)
    schedule.step()
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.2, 0.05])
    assert schedule.rate == pytest.approx(0.2)


def test_rates_of_a_restored_optimiser_go_on():
    before = two_rates()
    schedule = build_schedule(StepSchedule(every=1, gamma=0.5), before, num_steps=10)
    schedule.step()
    after = two_rates()
    after.load_state_dict(before.state_dict())
    restored = build_schedule(StepSchedule(every=1, gamma=0.5), after, num_steps=10)
    restored.load_state_dict(schedule.state_dict())
    restored.step()
    assert [group["lr"] for group in after.param_groups] == pytest.approx([0.1, 0.025])
