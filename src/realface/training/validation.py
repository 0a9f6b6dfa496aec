"""Validating while a run goes on: score, compare, save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from realface.core.errors import MetricError, TrainingError
from realface.data.manifest import Manifest
from realface.evaluation.scoring import score_crops
from realface.training.checkpoint import Checkpoint, save_checkpoint
from realface.training.loop import Fitted
from realface.training.recipe import TrainRecipe
from realface.training.selection import Validation, validation_metrics

LAST_NAME = "checkpoints/last.ckpt"
BEST_NAME = "checkpoints/best.ckpt"
SCORES_NAME = "validation_scores.parquet"


class Validator:
    """Scores the validation rows, keeps the last state and the best, and remembers what it found.

    Attributes:
        best: the best validation so far, None before the first.
        last: the last one.
    """

    def __init__(self, fitted: Fitted, rows: Manifest, *, recipe: TrainRecipe, run: Path, device: torch.device) -> None:
        self._fitted, self._rows, self._recipe, self._run, self._device = fitted, rows, recipe, run, device
        self.best: Validation | None = None
        self.last: Validation | None = None

    def validate(self, step: int) -> dict[str, float]:
        """Judge the weights after `step` steps and save them.

        Raises:
            TrainingError: the scores give no metric, as when they are not numbers.
        """
        config: Any = self._recipe.method
        data = self._recipe.data
        try:
            scores = score_crops(
                self._fitted.network,
                self._rows,
                input_size=config.input_size,
                batch_size=data.val.batch_size,
                workers=data.workers,
                device=self._device,
                quiet=True,
            )
            found = Validation(step, validation_metrics(scores), scores)
        except MetricError as error:
            raise TrainingError(f"validation after step {step}: {error}") from error
        self._save(found)
        return found.metrics

    def describe_kept(self) -> str:
        """What an interrupted run leaves, in one line."""
        if self.best is None or self.last is None:
            return f"{self._run} holds the log only: no step was validated yet; start again in another folder"
        return (
            f"{self._run} keeps {LAST_NAME} (step {self.last.step}) and {BEST_NAME} (step {self.best.step}); "
            f"the detector is written only at the end"
        )

    def _save(self, found: Validation) -> None:
        checkpoint = Checkpoint(
            step=found.step,
            task=self._fitted.task.state_dict(),
            optimiser=self._fitted.optimiser.state_dict(),
            schedule=self._fitted.schedule.state_dict(),
            metrics=found.metrics,
        )
        if found.is_better_than(self.best, metric=self._recipe.selection.metric):
            save_checkpoint(self._run / BEST_NAME, checkpoint)
            found.scores.write(self._run / SCORES_NAME)
            self.best = found
        save_checkpoint(self._run / LAST_NAME, checkpoint)
        self.last = found
