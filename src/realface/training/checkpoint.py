"""The state of a run on disk: whole or absent, and read without executing anything."""

from __future__ import annotations

import errno
import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from realface.core.errors import RealfaceError, TrainingError
from realface.core.files import existing, written_atomically

FORMAT = 2
FOLDER_NAME = "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a step, as tensors and plain values.

    Attributes:
        step: steps taken.
        crops_per_step: crops of a step over all processes.
        task: the task's weights, the network's under `network.`.
        average: the running mean of the weights; None if the recipe has no `average_decay`.
        optimiser: the optimiser's state.
        schedule: the schedule's state.
        scaler: the state of fp16's loss scaling; empty for other precisions.
        generators: the random generators' states of each process, by rank.
        means: the losses since the last row of the log.
        tally: the fields of `Tally`.
    """

    step: int
    crops_per_step: int
    task: dict[str, Tensor]
    average: dict[str, Tensor] | None
    optimiser: dict[str, Any]
    schedule: dict[str, Any]
    scaler: dict[str, Any]
    generators: list[dict[str, Any]]
    means: dict[str, Any]
    tally: dict[str, Any]


@dataclass(frozen=True)
class BestStep:
    """The weights that become the detector.

    Attributes:
        step: steps taken.
        network: the network's weights.
        metrics: its validation metrics by name.
        scores: (rows,) float64, of the validation rows in their order; empty for a method that learns only from real
            faces, which has no scores until the run ends. On pairs (pairs, 2), the logits of both images of each pair.
    """

    step: int
    network: dict[str, Tensor]
    metrics: dict[str, float]
    scores: Tensor


Stored = TypeVar("Stored", Checkpoint, BestStep)


class CheckpointFolder:
    """The checkpoints of a run: the last few, and the best steps that they refer to.

    Args:
        run: the run's folder.
        keep: newest checkpoints that are kept.
    """

    def __init__(self, run: Path, *, keep: int) -> None:
        self._folder = run / FOLDER_NAME
        self._keep = keep

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove the oldest checkpoints and the best steps without a checkpoint.

        Checkpoints of later steps are removed too: they are damaged, and the run was resumed from a step before them.

        Raises:
            TrainingError: the disk is full.
        """
        written = self._folder / f"step-{checkpoint.step:08}.ckpt"
        _write(written, checkpoint)
        steps = self._steps()
        end = steps.index(written) + 1
        for path in (*steps[: max(end - self._keep, 0)], *steps[end:]):
            path.unlink(missing_ok=True)
        referred = {_best_name(best) for path in self._steps() if (best := _best_step_of(path)) is not None}
        for path in self._folder.glob("best-*.ckpt"):
            if path.name not in referred:
                path.unlink(missing_ok=True)

    def save_best(self, best: BestStep) -> None:
        """Write the weights of the best step so far; the former best stays until no checkpoint needs it."""
        _write(self._folder / _best_name(best.step), best)

    def load_best(self, step: int) -> BestStep:
        """Return the weights of a step that was the best.

        Raises:
            MissingInputError: no such file.
            TrainingError: the file is damaged.
        """
        return _read(self._folder / _best_name(step), BestStep)

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is complete together with its best step; None if no checkpoint was written.

        A damaged checkpoint, as a crash may leave it, is skipped with a warning on stderr.

        Raises:
            TrainingError: checkpoints exist, but all are damaged. The user decides whether to start again.
        """
        fault = None
        for path in reversed(self._steps()):
            if fault is not None:
                print(f"realface: warning: {fault}; trying the one before", file=sys.stderr)
            try:
                checkpoint = _read(path, Checkpoint)
                if (best := checkpoint.tally["best_step"]) is not None:
                    self.load_best(best)
            except RealfaceError as error:
                fault = error
                continue
            return checkpoint
        if fault is not None:
            raise TrainingError(
                f"{fault.text}; no other checkpoint is left", hint=f"remove {self._folder} to begin again"
            )
        return None

    def clear_partial(self) -> None:
        """Remove files that were only partly written because the process was killed."""
        for path in self._folder.glob(".*.partial*"):
            path.unlink()

    def _steps(self) -> list[Path]:
        return sorted(self._folder.glob("step-*.ckpt"))


def _best_name(step: int) -> str:
    return f"best-{step:08}.ckpt"


def _best_step_of(path: Path) -> int | None:
    """Return the best step that a checkpoint refers to; None if it refers to no step or is damaged."""
    try:
        best: int | None = _read(path, Checkpoint, in_memory=False).tally["best_step"]
    except TrainingError:
        return None
    return best


def _write(path: Path, stored: Checkpoint | BestStep) -> None:
    with written_atomically(path) as temporary:
        try:
            torch.save({"format": FORMAT, **vars(stored)}, temporary)
        except RuntimeError as error:  # torch's error for a full disk
            raise TrainingError(
                f"{path} cannot be written ({error})", hint="make room on the disk and go on with --resume"
            ) from error
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make renamed files of a folder survive a loss of power, before older files are removed."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without this operation
            raise
    finally:
        os.close(descriptor)


def _read(path: Path, kind: type[Stored], *, in_memory: bool = True) -> Stored:
    try:
        content = torch.load(
            existing(path, what="checkpoint"), map_location="cpu", weights_only=True, mmap=not in_memory
        )
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # torch raises EINVAL for a truncated file
            raise
        raise TrainingError(f"{path} is damaged or no checkpoint of `realface train`") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise TrainingError(f"{path} is no checkpoint of format {FORMAT}, which this version of realface reads")
    return kind(**content)
