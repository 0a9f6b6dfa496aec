"""Validate during a run: measure, compare, keep the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from realface.core.errors import MetricError, TrainingError
from realface.data.dataset import RowInput
from realface.evaluation.real_only import FittedScore, fit_on_reals
from realface.evaluation.scoring import (
    RankShare,
    Reading,
    measure_crops,
    require_readable,
    score_crops,
    table_of_scores,
)
from realface.manifest.manifest import Manifest
from realface.metrics.score_table import ScoreTable
from realface.models.method import RealOnly
from realface.training.checkpoint import BestStep, CheckpointFolder
from realface.training.pair_validation import PairValidation
from realface.training.plan import RunPlan
from realface.training.processes import Processes
from realface.training.recipe import MetricName
from realface.training.selection import Validation, deciding_metric, error_metrics, validation_metrics
from realface.training.state import TrainingState


@dataclass(frozen=True)
class Validator:
    """Measures the validation rows, shared among the processes, and keeps the best step.

    Attributes:
        plan: the run. Its validation samples are scored; a method that learns from real faces only uses only reals.
        checkpoints: folder in which the best step is kept.
        processes: the processes of the run, which share the samples.
        device: device of this process.
        pairs: the validation pairs of a run on pairs; None for other runs.
    """

    plan: RunPlan
    checkpoints: CheckpointFolder
    processes: Processes
    device: torch.device
    pairs: PairValidation | None = None

    @property
    def metric(self) -> MetricName:
        """Name of the metric that chooses the best step."""
        return deciding_metric(self.plan.recipe.selection.metric, self.plan.method, self.plan.recipe.pseudo_fakes)

    def validate(self, state: TrainingState) -> dict[str, float]:
        """Measure the validation metrics of the state's network, and update the tally.

        Raises:
            TrainingError: a metric cannot be computed, for example because a score is not a number.
        """
        step = state.tally.step
        network = state.judged_network
        self.processes.same_buffers(network)
        try:
            metrics, scores = self._measured(network)
        except MetricError as error:
            raise TrainingError(f"validation after step {step}: {error.text}", hint=error.hint) from error
        tally = state.tally
        best = None if tally.best_step is None else Validation(tally.best_step, tally.best_metrics)
        if is_best := Validation(step, metrics).is_better_than(best, metric=self.metric):
            if self.processes.is_first:
                self.checkpoints.save_best(BestStep(step, network.state_dict(), metrics, torch.tensor(scores)))
            tally.best_step, tally.best_metrics = step, metrics
        tally.num_stale = 0 if is_best else tally.num_stale + 1
        state.schedule.observe(is_best)
        return metrics

    def scores_of(self, best: BestStep) -> ScoreTable:
        """Return the score table of the best step."""
        return table_of_scores(self._rows, best.scores.numpy())

    def fitted(self, network: nn.Module, real_only: RealOnly) -> FittedScore | None:
        """Fit the score of a network on the validation faces, in this process only."""
        rate = self.plan.recipe.artifact.false_positive_rate
        return fit_on_reals(
            network,
            real_only,
            self._rows,
            replace(self._reading, share=RankShare()),
            false_positive_rate=rate,
            videos_name="validation videos",
            inputs=self._inputs,
        )

    def scores_of_reals(self, network: nn.Module) -> ScoreTable:
        """Return the score table of the validation rows, by this process only, for a network in its final state."""
        return score_crops(network, self._rows, replace(self._reading, share=RankShare()), inputs=self._inputs)

    def _measured(self, network: nn.Module) -> tuple[dict[str, float], NDArray[np.float64]]:
        """Return every metric, and the scores of the rows; errors on real faces are no scores, so that array is empty.

        On pairs, the scores are the logits of both images of each pair.
        """
        if self.pairs is not None:
            logits = self.pairs.score(network, self._reading)
            return self.pairs.metrics(logits), logits
        if self.plan.method.real_only is not None:
            return error_metrics(self._errors(network, self.plan.method.real_only)), np.empty(0)
        scores = score_crops(network, self._rows, self._reading, inputs=self._inputs)
        return validation_metrics(scores), scores.scores

    def _errors(self, network: nn.Module, real_only: RealOnly) -> NDArray[np.float64]:
        errors, failed = measure_crops(
            network, self._rows, self._reading, measure=real_only.errors, inputs=self._inputs
        )
        require_readable(failed)
        return errors

    @property
    def _rows(self) -> Manifest:
        return self.plan.data.val

    @property
    def _inputs(self) -> Mapping[str, RowInput]:
        return self.plan.data.val_inputs

    @property
    def _reading(self) -> Reading:
        """Settings with which the validation samples are read."""
        data = self.plan.recipe.data
        return Reading(
            input_size=self.plan.config.input_size,
            device=self.device,
            batch_size=data.val.batch_size,
            workers=data.workers,
            quiet=True,
            share=RankShare(self.processes.rank, self.processes.size, self.processes.gather),
        )
