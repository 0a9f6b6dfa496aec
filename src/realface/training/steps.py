"""One step of the optimiser: gradients of one batch or several, checked before they change anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from realface.core.errors import TrainingError
from realface.models.depthwise import QuickDepthwiseGradients
from realface.models.outputs import Task
from realface.training.batches import Batch
from realface.training.recipe import TrainerSection
from realface.training.state import TrainingState


class Losses(nn.Module):
    """A task reduced to its losses, because Fabric processes a module's output and accepts no frozen dataclass."""

    def __init__(self, task: nn.Module) -> None:
        super().__init__()
        assert isinstance(task, Task)
        self.task = task

    def forward(self, image: Tensor, label: Tensor, **inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scalar loss and its named parts, scalars too.

        Args:
            image: (B, 3, H, W), in [0, 1].
            label: (B,) int64, 1 = fake.
            inputs: precomputed inputs, each (B, ...).
        """
        result = self.task(image, label, **inputs)
        return result.loss, dict(result.parts)


@dataclass(frozen=True)
class Step:
    """The result of a step.

    Attributes:
        values: the loss, its parts and the gradient's norm, by name; means over the accumulated batches.
        rate: the learning rate.
        is_skipped: whether the gradient was not finite, so that nothing was changed.
    """

    values: Mapping[str, Tensor]
    rate: float
    is_skipped: bool


class Stepper:
    """Takes steps.

    A step whose gradient is not finite is skipped: weights, optimiser and the statistics of batch norms, which the
    forward pass has changed, keep their values.
    """

    def __init__(self, fabric: Fabric, state: TrainingState, trainer: TrainerSection) -> None:
        self._fabric, self._state, self._trainer = fabric, state, trainer
        self._parameters = [parameter for parameter in state.task.parameters() if parameter.requires_grad]
        self._buffers = list(state.task.buffers())
        self._buffers_before = [buffer.clone() for buffer in self._buffers]
        self._memory_format = torch.channels_last if trainer.channels_last else torch.contiguous_format
        # torch.compile makes its own kernels
        is_bf16 = fabric.strategy.precision.precision == "bf16-mixed"
        self._is_quickened = fabric.device.type == "cpu" and is_bf16 and not trainer.compile
        if trainer.frozen_norms:
            freeze_norms(state.task)

    def take(self, batches: Sequence[Batch]) -> Step:
        """Take one step on the mean loss of some batches, of one size.

        Raises:
            TrainingError: the device's memory is too small for it.
        """
        try:
            return self._take(batches)
        except torch.OutOfMemoryError as error:  # the optimiser's first step allocates memory too
            raise TrainingError(
                f"{self._fabric.device} has too little memory for {len(batches[0].label)} crops at once",
                hint="set a smaller trainer.batch_size with a larger trainer.accumulate, or trainer.precision bf16",
            ) from error

    def _take(self, batches: Sequence[Batch]) -> Step:
        fabric, state = self._fabric, self._state
        if self._buffers:
            torch._foreach_copy_(self._buffers_before, self._buffers)
        state.optimiser.zero_grad(set_to_none=True)
        values: dict[str, Tensor] = {}
        for number, batch in enumerate(batches, start=1):
            for name, value in self._backward(batch, share=1 / len(batches), is_last=number == len(batches)).items():
                values[name] = values.get(name, 0) + value / len(batches)
        raw_optimiser = _unwrapped(state.optimiser)
        scaler = getattr(fabric.strategy.precision, "scaler", None)
        if scaler is not None:
            scaler.unscale_(raw_optimiser)
        norm = self._gradient_norm()
        is_finite = bool(norm.isfinite())  # waits for a GPU, once per step
        if is_finite:
            if self._trainer.clip_norm is not None:
                torch.nn.utils.clip_grads_with_norm_(self._parameters, self._trainer.clip_norm, norm)
            state.optimiser.step()
            if state.average is not None:
                state.average.update_parameters(state.network)
        else:
            if scaler is not None:
                scaler.update()  # lowers its scale; a step does so too, but not if only the norm is too large
            if self._buffers:
                torch._foreach_copy_(self._buffers, self._buffers_before)
        rate = state.schedule.rate
        state.schedule.step()
        return Step({**values, "gradient_norm": norm}, rate, is_skipped=not is_finite)

    def _backward(self, batch: Batch, *, share: float, is_last: bool) -> dict[str, Tensor]:
        fabric = self._fabric
        image = batch.image.to(fabric.device, non_blocking=True).contiguous(memory_format=self._memory_format)
        label = batch.label.to(fabric.device, non_blocking=True)
        inputs = {name: value.to(fabric.device, non_blocking=True) for name, value in batch.inputs.items()}
        losses: Any = self._state.losses
        with fabric.no_backward_sync(losses, enabled=not is_last):  # processes meet once per step
            with QuickDepthwiseGradients() if self._is_quickened else nullcontext():
                loss, parts = losses(image, label, **inputs)
            fabric.backward(loss * share)
        return {"loss": loss.detach(), **parts}

    def _gradient_norm(self) -> Tensor:
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)


def freeze_norms(module: nn.Module) -> None:
    """Put every norm that keeps statistics into eval mode; its scale and shift are still trained."""
    for part in module.modules():
        if isinstance(part, _NormBase):
            part.eval()


def _unwrapped(optimiser: Optimizer) -> Optimizer:
    raw: Optimizer = getattr(optimiser, "optimizer", optimiser)
    return raw
