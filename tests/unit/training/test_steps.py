import math

import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.precision.amp import MixedPrecision

from realface.core.errors import TrainingError
from realface.models.outputs import StepResult
from realface.training import steps
from realface.training.batches import Batch
from realface.training.optimisers import SgdConfig, build_optimiser
from realface.training.recipe import TrainerSection
from realface.training.schedules import ConstantSchedule, build_schedule
from realface.training.state import TrainingState, running_average
from realface.training.steps import Losses, Stepper


@pytest.fixture
def start(tiny_method):
    """(settings of the trainer, fabric, decay of the average) -> (state, stepper)."""

    def make(fabric=None, *, decay=None, **trainer):
        torch.manual_seed(0)
        fabric = fabric or Fabric(accelerator="cpu", devices=1)
        network = tiny_method.build_network(tiny_method.config_type(dropout=0.0))
        task = tiny_method.build_task(network)
        optimiser = build_optimiser(SgdConfig(name="sgd", lr=0.1), task.parameters())
        losses, wrapped = fabric.setup(Losses(task), optimiser)
        state = TrainingState(
            task=task,
            network=network,
            average=None if decay is None else running_average(network, decay=decay),
            losses=losses,
            optimiser=wrapped,
            schedule=build_schedule(ConstantSchedule(), optimiser, num_steps=10),
            crops_per_step=4,
        )
        return state, Stepper(fabric, state, TrainerSection(steps=10, **trainer))

    return make


def batch(size=4, value=None):
    image = torch.rand(size, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    if value is not None:
        image[0, 0, 0, 0] = value
    return Batch(image, torch.arange(size) % 2)


def values(state):
    return {name: tensor.clone() for name, tensor in state.task.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_step_changes_the_weights_and_tells_its_losses(start):
    state, stepper = start()
    before = values(state)
    step = stepper.take([batch()])
    assert not step.is_skipped
    assert set(step.values) == {"loss", "classification", "gradient_norm"}
    assert step.rate == 0.1
    assert not same(before, values(state))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_step_with_a_gradient_that_is_not_finite_changes_nothing(start, bad):
    state, stepper = start(decay=0.5)
    stepper.take([batch()])
    before, average = values(state), state.average.state_dict()
    average = {name: tensor.clone() for name, tensor in average.items()}
    assert stepper.take([batch(value=bad)]).is_skipped
    assert same(before, values(state))  # not even the batch norm's statistics
    assert same(average, state.average.state_dict())
    assert not stepper.take([batch()]).is_skipped


def test_two_accumulated_batches_equal_one_of_both_with_frozen_norms(start):
    whole = batch(8)
    halves = [Batch(whole.image[:4], whole.label[:4]), Batch(whole.image[4:], whole.label[4:])]
    in_float64 = Fabric(accelerator="cpu", devices=1, precision="64-true")  # so that both agree but for the last bits
    one, one_stepper = start(in_float64, frozen_norms=True)
    two, two_stepper = start(in_float64, frozen_norms=True)
    step, accumulated = one_stepper.take([whole]), two_stepper.take(halves)
    torch.testing.assert_close(values(one), values(two), rtol=0, atol=1e-9)
    torch.testing.assert_close(step.values, accumulated.values, rtol=0, atol=2**-23)  # the log's losses are float32


def test_clipping_bounds_the_gradient_as_a_whole(start):
    state, stepper = start(clip_norm=0.01)
    step = stepper.take([batch()])
    assert step.values["gradient_norm"] > 0.01  # the log tells what it was
    clipped = [parameter.grad for parameter in state.task.parameters()]
    assert torch.nn.utils.get_total_norm(clipped) == pytest.approx(0.01, rel=1e-3)


def test_frozen_norms_keep_their_statistics_and_train_their_scale(start):
    state, stepper = start(frozen_norms=True)
    before = values(state)
    stepper.take([batch()])
    after = values(state)
    assert torch.equal(before["network.norm.running_mean"], after["network.norm.running_mean"])
    assert not torch.equal(before["network.norm.weight"], after["network.norm.weight"])


@pytest.mark.parametrize(
    ("precision", "trainer", "is_quickened"),
    [("bf16-mixed", {}, True), ("bf16-mixed", {"compile": True}, False), ("32-true", {}, False)],
)
def test_bf16_on_a_cpu_computes_depthwise_gradients_the_quick_way(start, monkeypatch, precision, trainer, is_quickened):
    entered = []

    class Noted(steps.QuickDepthwiseGradients):
        def __enter__(self):
            entered.append(True)
            return super().__enter__()

    monkeypatch.setattr(steps, "QuickDepthwiseGradients", Noted)
    _, stepper = start(Fabric(accelerator="cpu", devices=1, precision=precision), **trainer)
    assert not stepper.take([batch()]).is_skipped
    assert entered == [True] * is_quickened


def test_average_keeps_its_share(start):
    state, stepper = start(decay=0.75)
    first = state.network.head.weight.clone()
    stepper.take([batch()])
    expected = 0.75 * first + 0.25 * state.network.head.weight
    torch.testing.assert_close(state.average.module.head.weight, expected.detach())
    assert state.judged_network is state.average.module


def test_average_counts_batches_as_the_network_does(start):
    state, stepper = start(decay=0.75)
    stepper.take([batch()])
    stepper.take([batch()])
    assert state.average.module.norm.num_batches_tracked == state.network.norm.num_batches_tracked == 2


def test_loss_scaling_skips_an_overflow_and_lowers_its_scale(start):
    precision = MixedPrecision("16-mixed", "cpu")
    state, stepper = start(Fabric(accelerator="cpu", devices=1, plugins=[precision]))
    before, scale = values(state), precision.scaler.get_scale()
    assert stepper.take([batch(value=math.inf)]).is_skipped
    assert same(before, values(state))
    assert precision.scaler.get_scale() == scale / 2
    assert not stepper.take([batch()]).is_skipped
    assert not same(before, values(state))
    assert state.capture(Fabric(accelerator="cpu", devices=1), []).scaler == {}


def test_loss_scaling_skips_a_step_whose_norm_alone_is_too_large(start):
    precision = MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu", init_scale=1.0))
    state, stepper = start(Fabric(accelerator="cpu", devices=1, plugins=[precision]))
    before = values(state)
    state.network.norm.bias.register_hook(lambda gradient: torch.full_like(gradient, 3e38))  # four of them
    assert stepper.take([batch()]).is_skipped
    assert same(before, values(state))


@pytest.mark.parametrize(
    ("part", "method"), [("losses", "forward"), ("optimiser", "step"), ("average", "update_parameters")]
)
def test_too_little_memory_is_told_with_what_to_set(start, monkeypatch, part, method):
    state, stepper = start(decay=0.5)

    def refuse(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(getattr(state, part), method, refuse)
    with pytest.raises(
        TrainingError, match=r"too little memory for 4 crops at once; set a smaller trainer\.batch_size"
    ):
        stepper.take([batch()])


def test_task_is_given_what_was_computed_beforehand_by_its_name():
    class Scaled(torch.nn.Module):
        def forward(self, image, label, *, scale):
            return StepResult((image.mean(dim=(1, 2, 3)) * scale).sum(), {}, None)

    losses = Losses(Scaled())
    loss, _ = losses(torch.ones(2, 3, 2, 2), torch.zeros(2), scale=torch.tensor([2.0, 3.0]))
    assert loss == 5
