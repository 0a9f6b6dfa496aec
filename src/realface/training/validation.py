"""Validating while a run goes on: score, compare, keep the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from realface.core.errors import MetricError, TrainingError
from realface.data.manifest import Manifest
from realface.evaluation.scoring import Share, score_crops, table_of_scores
from realface.metrics.score_table import ScoreTable
from realface.training.checkpoint import BestStep, CheckpointFolder
from realface.training.processes import Processes
from realface.training.recipe import TrainRecipe
from realface.training.selection import Validation, validation_metrics
from realface.training.state import TrainingState


@dataclass(frozen=True)
class Validator:
    """Scores the validation rows, shared among the processes, and keeps the best step.

    Attributes:
        rows: the validation rows.
        recipe: of the run.
        checkpoints: where the best step is kept.
        processes: which share the rows.
        device: of this process.
    """

    rows: Manifest
    recipe: TrainRecipe
    checkpoints: CheckpointFolder
    processes: Processes
    device: torch.device

    def judge(self, state: TrainingState) -> dict[str, float]:
        """The validation metrics of the state's network; the tally is brought up to date.

        Raises:
            TrainingError: the scores give no metric, as when they are not numbers.
        """
        step = state.tally.step
        self.processes.same_buffers(state.judged_network)
        try:
            scores = self._score(state.judged_network)
            found = Validation(step, validation_metrics(scores))
        except MetricError as error:
            raise TrainingError(f"validation after step {step}: {error}") from error
        tally = state.tally
        best = None if tally.best_step is None else Validation(tally.best_step, tally.best_metrics)
        if is_best := found.is_better_than(best, metric=self.recipe.selection.metric):
            if self.processes.is_first:
                weights = state.judged_network.state_dict()
                self.checkpoints.save_best(BestStep(step, weights, found.metrics, torch.tensor(scores.scores)))
            tally.best_step, tally.best_metrics = step, found.metrics
        tally.num_stale = 0 if is_best else tally.num_stale + 1
        state.schedule.observe(is_best)
        return found.metrics

    def scores_of(self, best: BestStep) -> ScoreTable:
        """The score table of the best step."""
        return table_of_scores(self.rows, best.scores.numpy())

    def _score(self, network: nn.Module) -> ScoreTable:
        config: Any = self.recipe.method
        data = self.recipe.data
        return score_crops(
            network,
            self.rows,
            input_size=config.input_size,
            batch_size=data.val.batch_size,
            workers=data.workers,
            device=self.device,
            quiet=True,
            share=Share(self.processes.rank, self.processes.size, self.processes.gather),
        )
