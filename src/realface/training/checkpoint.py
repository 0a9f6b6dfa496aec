"""The state of a run on disk: whole or absent, and read without executing anything."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from realface.core.errors import TrainingError
from realface.core.files import existing, written_atomically

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a step leaves behind, as tensors and plain values.

    Attributes:
        step: steps taken.
        task: the task's weights, the network's under `network.`.
        optimiser: the optimiser's state.
        schedule: the schedule's state.
        metrics: the validation metrics of this step.
    """

    step: int
    task: dict[str, Any]
    optimiser: dict[str, Any]
    schedule: dict[str, Any]
    metrics: dict[str, float]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically; an older one of that name stays until the new one is whole."""
    with written_atomically(path) as temporary:
        torch.save({"format": FORMAT, **vars(checkpoint)}, temporary)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        MissingInputError: no such file.
        TrainingError: damaged, or not written by this version of `realface train`.
    """
    try:
        content = torch.load(existing(path, what="checkpoint"), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is damaged or no checkpoint of `realface train`; give another one") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise TrainingError(f"{path} is no checkpoint of format {FORMAT}; give one that this version of realface wrote")
    return Checkpoint(**content)
