"""State that the steps of a run change, and that a resumed run must restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from realface.training.checkpoint import Checkpoint
from realface.training.logs import MetricAverages
from realface.training.processes import Processes
from realface.training.randomness import generator_states, restore_generators
from realface.training.schedules import Schedule


@dataclass
class Tally:
    """Counts and best metrics of a run so far.

    Attributes:
        step: steps taken.
        rate: the last step's learning rate.
        judged_step: the last step whose validation and log are done.
        best_step: the best validated step; None before the first validation.
        best_metrics: its validation metrics.
        num_stale: validations since the best.
        num_skipped: steps that were skipped because a gradient was not finite.
        num_skipped_in_a_row: consecutive skipped steps at the end of the steps so far.
    """

    step: int = 0
    rate: float = 0.0
    judged_step: int = 0
    best_step: int | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    num_stale: int = 0
    num_skipped: int = 0
    num_skipped_in_a_row: int = 0


@dataclass
class TrainingState:
    """The parts of a run that its steps change.

    Attributes:
        task: the task itself, whose weights are saved.
        network: the task's network.
        average: the running mean of the network's weights; None if the recipe has no averaging.
        losses: the task as Fabric set it up.
        optimiser: the optimiser as Fabric set it up.
        schedule: schedule of the learning rate, advanced in each step.
        crops_per_step: crops of a step over all processes.
        means: losses since the last row of the log.
        tally: counts and best metrics so far.
    """

    task: nn.Module
    network: nn.Module
    average: AveragedModel | None
    losses: nn.Module
    optimiser: Optimizer
    schedule: Schedule
    crops_per_step: int
    means: MetricAverages = field(default_factory=MetricAverages)
    tally: Tally = field(default_factory=Tally)

    @property
    def judged_network(self) -> nn.Module:
        """The network that is validated and becomes the detector: the average if the recipe averages the weights."""
        return self.network if self.average is None else self.average.module

    def capture(self, fabric: Fabric, generators: Sequence[Mapping[str, Any]]) -> Checkpoint:
        """Return the current state as a checkpoint.

        Args:
            fabric: contains the loss scaling.
            generators: every process's random generators, by rank.
        """
        return Checkpoint(
            step=self.tally.step,
            crops_per_step=self.crops_per_step,
            task=self.task.state_dict(),
            average=None if self.average is None else self.average.state_dict(),
            optimiser=self.optimiser.state_dict(),
            schedule=self.schedule.state_dict(),
            scaler=fabric.strategy.precision.state_dict(),
            generators=[dict(states) for states in generators],
            means=self.means.state_dict(),
            tally=asdict(self.tally),
        )

    def restore(self, checkpoint: Checkpoint, fabric: Fabric, processes: Processes) -> None:
        """Restore a checkpoint: bit for bit, if the number of processes is that of the run that wrote it."""
        self.task.load_state_dict(checkpoint.task)
        if self.average is not None and checkpoint.average is not None:
            self.average.load_state_dict(checkpoint.average)
        self.optimiser.load_state_dict(checkpoint.optimiser)
        self.schedule.load_state_dict(checkpoint.schedule)
        if checkpoint.scaler:
            fabric.strategy.precision.load_state_dict(checkpoint.scaler)
        self.means.load_state_dict(checkpoint.means, fabric.device)
        self.tally = Tally(**checkpoint.tally)
        if len(checkpoint.generators) == processes.size:
            restore_generators(checkpoint.generators[processes.rank], fabric.device)


def all_generators(fabric: Fabric, processes: Processes) -> list[dict[str, Any]]:
    """Return the states of the random generators of every process, by rank."""
    return processes.gather(generator_states(fabric.device))


def running_average(network: nn.Module, *, decay: float, has_warmup: bool = False) -> AveragedModel:
    """Return the running mean of a network's weights and batch-norm statistics, which starts as a copy.

    Args:
        network: already on its device.
        decay: share of the mean that an update keeps, in (0, 1).
        has_warmup: whether update n keeps no more than (1 + n) / (10 + n), as in TensorFlow's moving averages.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: Tensor | int) -> None:
        if averages[0].is_floating_point():
            count = float(num_averaged)
            kept = min(decay, (1 + count) / (10 + count)) if has_warmup else decay
            move: Any = get_ema_multi_avg_fn(kept)  # type: ignore[no-untyped-call]
            move(averages, values, num_averaged)
        else:  # a count of batches has no mean
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    average.update_parameters(network)  # the first update copies
    return average.requires_grad_(False).eval()
