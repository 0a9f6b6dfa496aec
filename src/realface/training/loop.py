"""The training loop. It is the same for all methods: a task returns a loss.

After a step, a checkpoint, the validation and a row of the log follow if they are due, in this order: a run that is
killed while it validates resumes with the validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice

from torch import Tensor

from realface.core.errors import LoadingError, StoppedBySignal, TrainingError
from realface.core.progress import Progress
from realface.core.stopping import Stopper
from realface.training.batches import Batch
from realface.training.logs import RunLog, Stopwatch
from realface.training.processes import Processes
from realface.training.recipe import TrainRecipe
from realface.training.selection import metric_text
from realface.training.state import TrainingState
from realface.training.steps import Step, Stepper
from realface.training.validation import Validator


@dataclass
class Loop:
    """Takes a run's steps.

    Attributes:
        state: state of the run, changed by each step.
        stepper: takes one step.
        validator: validates the network.
        save: writes a checkpoint of the state.
        images: returns images (3, H, W) of some validation faces, in [0, 1], by name.
        recipe: recipe of the run.
        processes: the processes of the run, which stop together.
        stopper: records whether a signal was received.
        log: gets a row every `log_every` steps and at each validation.
        shown: counts the steps.
    """

    state: TrainingState
    stepper: Stepper
    validator: Validator
    save: Callable[[], None]
    images: Callable[[], Mapping[str, Tensor]]
    recipe: TrainRecipe
    processes: Processes
    stopper: Stopper
    log: RunLog
    shown: Progress
    _watch: Stopwatch = field(default_factory=Stopwatch)
    _notes: dict[str, str] = field(default_factory=dict)

    def run(self, batches: Iterator[Batch]) -> None:
        """Take the remaining steps.

        Raises:
            StoppedBySignal: a signal came; the state is saved.
            TrainingError: the run cannot continue.
        """
        tally = self.state.tally
        trainer = self.recipe.trainer
        is_cut_short = tally.step == trainer.steps and tally.step % trainer.validate_every != 0
        if tally.judged_step < tally.step or is_cut_short:  # resumed from a checkpoint saved before the validation
            self._validate_and_log()
        while tally.step < trainer.steps and not self._has_stalled():
            taken = self._next_batches(batches)
            with self._watch.computing(self.state.crops_per_step):
                self._count(self.stepper.take(taken))
            if self._is_saved():
                self.save()
            self._validate_and_log()
            self.shown.advance(note=" | ".join(self._notes.values()))

    def _next_batches(self, batches: Iterator[Batch]) -> Sequence[Batch]:
        """Return the batches of the next step; here the processes agree whether to take it."""
        taken: list[Batch] = []
        text, hint = "", ""
        with self._watch.waiting():
            try:
                with self.stopper.at_once():  # no step is running: a signal can stop the wait for a batch
                    taken = list(islice(batches, self.recipe.trainer.accumulate))
            except StoppedBySignal:
                pass  # all processes learn of it below
            except TrainingError as error:
                text, hint = error.text, error.hint
            except LoadingError as error:
                text, hint = error.text, "; ".join(filter(None, [error.hint, "go on with --resume"]))
        if self.processes.largest(len(text)):
            self.save()
            text, hint = next(fault for fault in self.processes.gather((text, hint)) if fault[0])
            raise TrainingError(text, hint=hint)
        if number := self.processes.largest(self.stopper.requested):
            self.save()
            raise StoppedBySignal(number)
        return taken

    def _count(self, step: Step) -> None:
        tally, limit = self.state.tally, self.recipe.trainer.max_skipped_steps
        tally.step, tally.rate = tally.step + 1, step.rate
        if not step.is_skipped:
            tally.num_skipped_in_a_row = 0
            self.state.means.add(step.values)
            return
        self.state.means.add_skipped(step.values)
        tally.num_skipped += 1
        tally.num_skipped_in_a_row += 1
        if tally.num_skipped_in_a_row == limit:
            raise TrainingError(
                f"the gradients of {limit} steps in a row, up to step {tally.step}, were not finite",
                hint=(
                    "lower optim.lr, set trainer.clip_norm, warm up (schedule.warmup_steps), or use trainer.precision "
                    "fp32 or bf16, and begin again in another folder"
                ),
            )

    def _is_validated(self) -> bool:
        step, trainer = self.state.tally.step, self.recipe.trainer
        return step == trainer.steps or step % trainer.validate_every == 0

    def _is_saved(self) -> bool:
        every = self.recipe.trainer.checkpoint_every
        return self._is_validated() or (every is not None and self.state.tally.step % every == 0)

    def _has_stalled(self) -> bool:
        patience = self.recipe.selection.patience
        return patience is not None and self.state.tally.num_stale >= patience

    def _validate_and_log(self) -> None:
        """Validate and log a step after it is saved."""
        tally = self.state.tally
        validation = self._validate() if self._is_validated() else {}
        if validation or tally.step % self.recipe.trainer.log_every == 0:
            losses = self.state.means.take(self.processes)
            others = {"skipped_steps": tally.num_skipped, **self._watch.take()}
            self.log.write(tally.step, {"lr": tally.rate, **losses, **others}, validation)
            if losses:
                self._notes["loss"] = f"loss {losses['loss']:.3f}"
        tally.judged_step = tally.step

    def _validate(self) -> dict[str, float]:
        # the state is saved already; several processes must stay together, so they stop after the validation
        with self.stopper.at_once() if self.processes.size == 1 else nullcontext():
            metrics = self.validator.validate(self.state)
            if self.processes.is_first:
                self.log.show(self.state.tally.step, self.images())
        metric = self.validator.metric
        self._notes["metric"] = f"val {metric_text(metric, metrics[metric])}"
        return metrics
