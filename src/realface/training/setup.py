"""Build the task, optimiser and schedule of a run from its recipe."""

from __future__ import annotations

from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn

from realface.training.encoder_weights import load_encoder
from realface.training.frozen_mae import load_mae
from realface.training.optimisers import build_optimiser
from realface.training.plan import RunPlan
from realface.training.processes import Processes
from realface.training.recipe import TrainerSection
from realface.training.schedules import build_schedule
from realface.training.state import TrainingState, running_average
from realface.training.steps import Losses


def build_state(plan: RunPlan, fabric: Fabric, processes: Processes, *, is_new: bool) -> TrainingState:
    """Build the task with its first weights, on its device, with its optimiser and schedule.

    Args:
        plan: the run.
        fabric: sets up devices and precision.
        processes: processes of the run, which gather their losses.
        is_new: whether the run starts here. A resumed run gets its weights from a checkpoint, without access to a file
            or a hub.

    Raises:
        ArtifactError: the weights cannot be read, or do not fit.
        TrainingError: the recipe's MAE has changed.
    """
    recipe, method = plan.recipe, plan.method
    network = method.build_network(plan.config)
    if is_new:
        if plan.frozen is not None:
            load_mae(network, recipe, plan.frozen)
        load_encoder(method, network, recipe)  # last: branches may start from the MAE, and encoder weights count more
    is_global = recipe.trainer.global_losses
    task = method.build_task(network, gather=processes.gather_rows) if is_global else method.build_task(network)
    if recipe.trainer.sync_batch_norm:
        task = nn.SyncBatchNorm.convert_sync_batchnorm(task)  # type: ignore[no-untyped-call]
    task = task.to(memory_format=torch.channels_last if recipe.trainer.channels_last else torch.contiguous_format)
    losses: Any = torch.compile(Losses(task)) if recipe.trainer.compile else Losses(task)
    encoder = () if method.encoder_parameters is None else method.encoder_parameters(network)
    optimiser = build_optimiser(recipe.optim, task.parameters(), encoder=encoder)
    losses, wrapped_optimiser = fabric.setup(losses, optimiser)
    decay = recipe.trainer.average_decay
    return TrainingState(
        task=task,
        network=network,
        average=None
        if decay is None
        else running_average(network, decay=decay, has_warmup=recipe.trainer.average_warmup),
        losses=losses,
        optimiser=wrapped_optimiser,
        schedule=build_schedule(recipe.schedule, optimiser, num_steps=recipe.trainer.steps),
        crops_per_step=crops_per_step(recipe.trainer, processes),
    )


def crops_per_step(trainer: TrainerSection, processes: Processes) -> int:
    """Return the number of crops that a step learns from, over all processes."""
    return trainer.batch_size * trainer.accumulate * processes.size
