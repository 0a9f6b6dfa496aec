"""The training loop: it knows no method, only a task that gives a loss, and validates by a function it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from realface.core.errors import TrainingError
from realface.core.progress import Progress
from realface.models.outputs import Task
from realface.training.batches import Batch
from realface.training.logs import RunLog
from realface.training.recipe import TrainerSection
from realface.training.selection import MetricName


class Losses(nn.Module):
    """A task reduced to its losses, because Fabric looks into what a module returns and takes no frozen dataclass."""

    def __init__(self, task: nn.Module) -> None:
        super().__init__()
        assert isinstance(task, Task)
        self.task = task

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and the named parts of it for the log."""
        result = self.task(image, label)
        return result.loss, dict(result.parts)


class LossMeans:
    """Mean losses over the steps between two rows of the log.

    Sums stay on the device until they are asked for: reading a number at each step would make a GPU wait.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._reset()

    def _reset(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._num_steps = 0
        self._first_bad_step = torch.zeros((), dtype=torch.int64, device=self._device)

    def add(self, step: int, loss: Tensor, parts: Mapping[str, Tensor]) -> None:
        """Count the losses of a step."""
        self._num_steps += 1
        for name, value in {"loss": loss, **parts}.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().float()
        is_first = ~loss.detach().isfinite() & (self._first_bad_step == 0)
        self._first_bad_step += is_first * step

    def take(self) -> dict[str, float]:
        """The means since the last call.

        Raises:
            TrainingError: a loss was not finite; the text names the first such step.
        """
        if step := int(self._first_bad_step):
            raise TrainingError(
                f"the loss of step {step} is not finite, so the weights are lost; lower optim.lr, set "
                "trainer.clip_norm, warm up (schedule.warmup_steps), or use trainer.precision fp32"
            )
        means = {name: float(value) / self._num_steps for name, value in self._sums.items()}
        self._reset()
        return means


@dataclass(frozen=True)
class Fitted:
    """The parts of a run that the steps change.

    Attributes:
        task: the task itself, whose state is saved.
        network: the task's network, which is validated and becomes the detector.
        losses: the task as Fabric set it up.
        optimiser: the optimiser as Fabric set it up.
        schedule: of the learning rate, one step per step.
    """

    task: nn.Module
    network: nn.Module
    losses: nn.Module
    optimiser: Optimizer
    schedule: LRScheduler


def run_steps(
    fabric: Fabric,
    fitted: Fitted,
    batches: Iterable[Batch],
    *,
    trainer: TrainerSection,
    metric: MetricName,
    validate: Callable[[int], Mapping[str, float]],
    log: RunLog,
    shown: Progress,
) -> None:
    """Take every step, log, and validate where the recipe says so.

    Args:
        fabric: carries device and precision.
        fitted: changed in place, as training does.
        batches: one per step.
        trainer: how the steps are taken.
        metric: the validation metric to show.
        validate: steps taken -> validation metrics.
        log: gets a row every `log_every` steps and at each validation.
        shown: counts the steps.

    Raises:
        TrainingError: the loss is not finite.
    """
    means = LossMeans(fabric.device)
    note = ""
    since, logged_step = time.monotonic(), 0
    for step, batch in enumerate(batches, start=1):
        lr = float(fitted.schedule.get_last_lr()[0])
        loss, parts = _take_step(fabric, fitted, batch, trainer)
        means.add(step, loss, parts)
        is_validated = step % trainer.validate_every == 0 or step == trainer.steps
        if is_validated or step % trainer.log_every == 0:
            losses = means.take()
            seconds = max(time.monotonic() - since, 1e-9)
            speed = (step - logged_step) * trainer.batch_size / seconds
            validation = validate(step) if is_validated else {}
            log.write(step, {"lr": lr, **losses, "crops_per_s": speed}, validation)
            if validation:
                note = f" | val {metric} {validation[metric]:.3f}"
            shown.advance(note=f"loss {losses['loss']:.3f}{note}")
            since, logged_step = time.monotonic(), step
        else:
            shown.advance()


def _take_step(
    fabric: Fabric, fitted: Fitted, batch: Batch, trainer: TrainerSection
) -> tuple[Tensor, dict[str, Tensor]]:
    memory_format = torch.channels_last if trainer.channels_last else torch.contiguous_format
    image = batch.image.to(fabric.device, non_blocking=True).contiguous(memory_format=memory_format)
    label = batch.label.to(fabric.device, non_blocking=True)
    fitted.optimiser.zero_grad(set_to_none=True)
    loss, parts = fitted.losses(image, label)
    fabric.backward(loss)
    if trainer.clip_norm is not None:
        fabric.clip_gradients(fitted.losses, fitted.optimiser, max_norm=trainer.clip_norm, error_if_nonfinite=False)
    fitted.optimiser.step()
    fitted.schedule.step()
    return loss, parts
