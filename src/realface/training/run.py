"""Train a detector: from a recipe to an artifact."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from realface.core.artifact import ArtifactCard
from realface.core.errors import StoppedBySignal
from realface.core.files import new_folder, write_json
from realface.core.lock import locked
from realface.core.progress import Progress, progress
from realface.core.provenance import collect_provenance
from realface.core.recipe import save_recipe
from realface.core.stopping import Stopper
from realface.data.pairs import PairDataset
from realface.data.source_stream import SourceStream
from realface.evaluation.real_only import threshold_of_reals
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import summarise
from realface.metrics.thresholds import DEFAULT_THRESHOLD, RULES, choose_threshold
from realface.models.artifact import save_artifact
from realface.models.method import RealOnly
from realface.training.batches import Batch, training_batches
from realface.training.checkpoint import BestStep, Checkpoint, CheckpointFolder
from realface.training.launch import launch, started_places
from realface.training.logs import CSV_NAME, NoLog, RunLog, open_log
from realface.training.loop import Loop
from realface.training.pair_batches import PairSampler, pair_batches
from realface.training.pair_faces import PairFaces, compute_landmarks, open_faces
from realface.training.pair_validation import PAIRS_NAME, PairValidation
from realface.training.pictures import inpainting_sheet, reconstruction_grid
from realface.training.plan import RunPlan, own_faces, plan_run
from realface.training.processes import Processes
from realface.training.randomness import reproducible, seed_process
from realface.training.recipe import MetricName, TrainRecipe
from realface.training.resuming import (
    PROVENANCE_NAME,
    RECIPE_NAME,
    record_resumption,
    require_same_run,
    require_same_steps,
)
from realface.training.selection import logged_metrics
from realface.training.setup import build_state, crops_per_step
from realface.training.state import TrainingState, all_generators
from realface.training.steps import Stepper
from realface.training.validation import Validator

ARTIFACT_NAME = "artifact"
SCORES_NAME = "validation_scores.parquet"


@dataclass(frozen=True)
class TrainResult:
    """The result of a finished run.

    Attributes:
        artifact: folder of the detector.
        metric: name of the metric that chose the best step.
        best_metric: its value on the validation samples at the best step.
        best_step: number of steps taken before it.
        steps: number of steps of the run; fewer than in the recipe if it stopped early.
        is_first_process: whether this process wrote the files, and should report them.
    """

    artifact: Path
    metric: MetricName
    best_metric: float
    best_step: int
    steps: int
    is_first_process: bool = True


def train(recipe: TrainRecipe, run: Path, *, resume: bool = False, quiet: bool = False) -> TrainResult:
    """Train a detector.

    The same recipe gives the same weights, bit for bit, on the same machine's CPU, for any number of workers and any
    number of interruptions. Random generators and torch's settings are left unchanged.

    Args:
        recipe: recipe from `load_train_recipe`.
        run: folder of the run: new or empty, or with `resume` the folder of an interrupted run of this recipe. Written
            there are `recipe.yaml`, `provenance.json`, `log.csv`, `tensorboard/`, `checkpoints/`,
            `validation_scores.parquet` (of the best step) and `artifact/`. It may contain crops in `faces/`, if the
            recipe uses them.
        resume: continue from the newest checkpoint; without a checkpoint, start from the first step.
        quiet: show no progress.

    Raises:
        RealfaceError: see `plan_run`, `launch`, `build_state`, `require_same_run` and `new_folder`, before anything is
            written; TrainingError if the run cannot continue; StoppedBySignal after a signal, once the state is saved.

    Example:
        >>> recipe = load_train_recipe("demo", overrides=["data.manifests=[faces/manifest.parquet]"])  # doctest: +SKIP
        >>> train(recipe, Path("run")).artifact  # doctest: +SKIP
        PosixPath('run/artifact')
    """
    plan = plan_run(recipe, run, resume=resume)
    fabric = launch(plan.recipe.trainer)
    processes, stopper = Processes(), Stopper()
    with ExitStack() as exit_stack:
        with reproducible(plan.recipe.seed, fabric.device), stopper.listening():
            state, checkpoint = _open_state(plan, fabric, processes, exit_stack)
            faces = _pair_faces(plan, processes, stopper, quiet=quiet)
            _start(state, checkpoint, plan, fabric, processes)
            del checkpoint  # as large as the state
            validator = _build_validator(plan, faces, fabric, processes)
            with _open_outputs(state, validator, quiet=quiet) as (log, bar), _explain_stop(run, state):
                loop = _build_loop(state, validator, fabric, stopper, log, bar)
                loop.run(_batches(plan, faces, state, fabric, processes))
        result = processes.on_first(lambda: _finish(state, validator))
    return replace(result, is_first_process=processes.is_first)


def _open_state(
    plan: RunPlan, fabric: Fabric, processes: Processes, exit_stack: ExitStack
) -> tuple[TrainingState, Checkpoint | None]:
    """Build the state, then create the folder of the run: weights that cannot be loaded leave no folder.

    Returns:
        The state, and the checkpoint to restore; None if the run begins.
    """
    checkpoint = None
    if plan.is_begun:
        checkpoint = processes.on_first(lambda: _reopen_folder(plan, fabric, processes, exit_stack))
    state = build_state(plan, fabric, processes, is_new=checkpoint is None)
    if not plan.is_begun:
        processes.on_first(lambda: _create_folder(plan, fabric, processes, exit_stack))
    return state, checkpoint


def _create_folder(plan: RunPlan, fabric: Fabric, processes: Processes, exit_stack: ExitStack) -> None:
    """Create the folder of a run; it is locked until `exit_stack` is closed."""
    folder = plan.folder
    exit_stack.enter_context(locked(new_folder(folder, allowed=own_faces(plan.recipe, folder))))
    write_json(folder / PROVENANCE_NAME, _provenance(plan, fabric, processes))
    save_recipe(plan.recipe, folder / RECIPE_NAME)


def _reopen_folder(plan: RunPlan, fabric: Fabric, processes: Processes, exit_stack: ExitStack) -> Checkpoint | None:
    """Return the checkpoint from which a run continues; the folder is locked until `exit_stack` is closed."""
    exit_stack.enter_context(locked(plan.folder))
    recipe, origin = plan.recipe, _provenance(plan, fabric, processes)
    hashes = {f"{name}_sha256": origin[name]["sha256"] for name in ("train", "val")}
    require_same_run(plan.folder, recipe, **hashes)
    checkpoints = CheckpointFolder(plan.folder, keep=recipe.trainer.keep_checkpoints)
    checkpoints.clear_partial()
    checkpoint = checkpoints.newest()
    if checkpoint is not None:
        size = crops_per_step(recipe.trainer, processes)
        require_same_steps(checkpoint, recipe.trainer.steps, size, processes)
    record_resumption(plan.folder, origin, step=0 if checkpoint is None else checkpoint.step)
    return checkpoint


def _provenance(plan: RunPlan, fabric: Fabric, processes: Processes) -> dict[str, Any]:
    data = plan.data
    left_out = {"fakes_left_out": data.fakes_left_out} if data.fakes_left_out else {}
    return collect_provenance(
        seed=plan.recipe.seed,
        device=str(fabric.device),
        processes=processes.size,
        threads=torch.get_num_threads(),
        train={"rows": len(data.train), "sha256": data.train.sha256()},
        val={"rows": len(data.val), "sha256": data.val.sha256()},
        **left_out,
        **data.origins,
    )


def _pair_faces(plan: RunPlan, processes: Processes, stopper: Stopper, *, quiet: bool) -> PairFaces | None:
    """Return the faces of a run on pairs, after computing missing landmarks; None for other runs."""
    if plan.recipe.pseudo_fakes is None:
        return None
    with stopper.at_once() if processes.size == 1 else nullcontext():
        processes.on_first(lambda: compute_landmarks(plan.data, plan.recipe, plan.folder, quiet=quiet))
    return open_faces(plan.data, plan.recipe, plan.folder)


def _start(
    state: TrainingState, checkpoint: Checkpoint | None, plan: RunPlan, fabric: Fabric, processes: Processes
) -> None:
    """Seed this process, then restore the checkpoint if it is given."""
    seed_process(plan.recipe.seed, processes.rank)
    if checkpoint is not None:
        state.restore(checkpoint, fabric, processes)


def _build_validator(plan: RunPlan, faces: PairFaces | None, fabric: Fabric, processes: Processes) -> Validator:
    checkpoints = CheckpointFolder(plan.folder, keep=plan.recipe.trainer.keep_checkpoints)
    pairs = None
    if faces is not None and plan.recipe.pseudo_fakes is not None:
        pairs = PairValidation(faces.val, plan.recipe.pseudo_fakes, plan.config.input_size)
    return Validator(plan, checkpoints, processes, fabric.device, pairs)


@contextmanager
def _open_outputs(state: TrainingState, validator: Validator, *, quiet: bool) -> Iterator[tuple[RunLog, Progress]]:
    """Open the log and the progress bar; only the first process opens them."""
    is_first = validator.processes.is_first
    plan, steps = validator.plan, validator.plan.recipe.trainer.steps
    with ExitStack() as stack:
        log: RunLog = NoLog()
        if is_first:
            metrics = logged_metrics(plan.method, plan.recipe.pseudo_fakes)
            log = stack.enter_context(open_log(plan.folder, metrics=metrics, first_step=state.tally.judged_step + 1))
        bar = progress("train", steps, unit="steps", quiet=quiet or not is_first, done=state.tally.step)
        yield log, stack.enter_context(bar)


@contextmanager
def _explain_stop(run: Path, state: TrainingState) -> Iterator[None]:
    """Add the step and the command that continues the run to the text of a stop."""
    try:
        yield
    except StoppedBySignal as stop:
        command = "the same command with --resume" if started_places() else f"`realface train --out {run} --resume`"
        raise StoppedBySignal(stop.number, f" after step {state.tally.step}", hint=f"continue with {command}") from None


def _build_loop(
    state: TrainingState, validator: Validator, fabric: Fabric, stopper: Stopper, log: RunLog, bar: Progress
) -> Loop:
    plan, processes = validator.plan, validator.processes
    return Loop(
        state=state,
        stepper=Stepper(fabric, state, plan.recipe.trainer),
        validator=validator,
        save=lambda: _save(state, validator.checkpoints, fabric, processes),
        images=lambda: _images(state, plan, fabric),
        recipe=plan.recipe,
        processes=processes,
        stopper=stopper,
        log=log,
        shown=bar,
    )


def _batches(
    plan: RunPlan, faces: PairFaces | None, state: TrainingState, fabric: Fabric, processes: Processes
) -> Iterator[Batch]:
    """Return the remaining batches of the run."""
    recipe = plan.recipe
    if faces is not None:
        return _pair_batches(plan, faces, state, fabric, processes)
    trainer, data = recipe.trainer, recipe.data
    return training_batches(
        plan.data.train,
        input_size=plan.config.input_size,
        batch_size=trainer.batch_size,
        num_batches=trainer.steps * trainer.accumulate,
        first_batch=state.tally.step * trainer.accumulate,
        seed=recipe.seed,
        flip=data.train.flip,
        degradations=data.train.degradations,
        sampling=plan.data.sampling,
        workers=data.workers,
        rank=processes.rank,
        world_size=processes.size,
        pin_memory=fabric.device.type == "cuda",
        inputs=plan.data.train_inputs,
    )


def _pair_batches(
    plan: RunPlan, faces: PairFaces, state: TrainingState, fabric: Fabric, processes: Processes
) -> Iterator[Batch]:
    """Return the remaining batches of a run on pairs."""
    recipe = plan.recipe
    section, trainer = recipe.pseudo_fakes, recipe.trainer
    assert section is not None
    num_pairs = trainer.batch_size // 2
    stream = SourceStream(faces.train.sources, faces.train.identities, balance=section.source_balance, seed=recipe.seed)
    sampler = PairSampler(
        stream,
        num_pairs=num_pairs,
        num_batches=trainer.steps * trainer.accumulate,
        first_batch=state.tally.step * trainer.accumulate,
        rank=processes.rank,
        world_size=processes.size,
    )
    trained = section.model_copy(update={"kinds": section.training_shares})
    pairs = PairDataset(
        faces.train.real_faces,
        trained,
        input_size=plan.config.input_size,
        seed=recipe.seed,
        real_fakes=section.real_fakes,
    )
    return pair_batches(
        pairs,
        sampler,
        num_pairs=num_pairs,
        input_size=plan.config.input_size,
        workers=recipe.data.workers,
        pin_memory=fabric.device.type == "cuda",
    )


def _save(state: TrainingState, checkpoints: CheckpointFolder, fabric: Fabric, processes: Processes) -> None:
    generators = all_generators(fabric, processes)
    state.means.share(processes)
    # all wait until it is written: the end of one process ends the whole run, after a signal too
    processes.on_first(lambda: checkpoints.save(state.capture(fabric, generators)))


def _images(state: TrainingState, plan: RunPlan, fabric: Fabric) -> dict[str, Tensor]:
    network, size, rows = state.judged_network, plan.config.input_size, plan.data.val
    if plan.method.real_only is not None:
        return inpainting_sheet(network, plan.method.real_only, rows, input_size=size, device=fabric.device)
    return reconstruction_grid(network, rows, input_size=size, device=fabric.device)


def _finish(state: TrainingState, validator: Validator) -> TrainResult:
    assert state.tally.best_step is not None, "the last step is always validated"
    best = validator.checkpoints.load_best(state.tally.best_step)
    artifact = write_detector(state.network, best, validator)
    metric = validator.metric
    return TrainResult(artifact, metric, best.metrics[metric], best.step, state.tally.step)


@dataclass(frozen=True)
class _Thresholded:
    """Scores of the finished network on the validation samples, and the threshold chosen on them.

    Attributes:
        scores: score of each sample; None for a network without a score.
        threshold: scores from here up are called fake.
        threshold_rule: rule that chose the threshold, in words.
        metrics: other measurements, for the artifact.
    """

    scores: ScoreTable | None
    threshold: float
    threshold_rule: str
    metrics: dict[str, Any]


def write_detector(network: nn.Module, best: BestStep, validator: Validator) -> Path:
    """Write the detector of the best step, and the validation scores on which its threshold was chosen.

    Args:
        network: gets the weights of the best step. If it learns from real faces only, its score is fitted too.
        best: the best step.
        validator: validator of the run.

    Returns:
        The folder of the detector.
    """
    plan = validator.plan
    recipe, config, run = plan.recipe, plan.config, plan.folder
    network.load_state_dict(best.network)
    real_only = plan.method.real_only
    if validator.pairs is not None:
        validator.pairs.write(run / PAIRS_NAME, best.scores.numpy())
        found = _threshold_on_reals(network, best, validator)
    elif real_only is not None:
        found = _complete(network, best, validator, real_only)
    else:
        found = _threshold_on_videos(best, validator)
    metrics = {"step": best.step, "selected_by": validator.metric, **found.metrics}
    if found.scores is not None:
        found.scores.write(run / SCORES_NAME)
        metrics["validation"] = summarise(found.scores, threshold=found.threshold, seed=recipe.seed).to_json()
    card = ArtifactCard(
        method=config.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=plan.data.crop,
        threshold=found.threshold,
        threshold_rule=found.threshold_rule,
        trained_on=plan.data.trained_on,
        metrics=metrics,
        licence=recipe.artifact.licence,
        purpose=recipe.artifact.purpose,
        provenance={
            "recipe": recipe.name,
            **json.loads((run / PROVENANCE_NAME).read_text(encoding="utf-8")),
            "training": _training_time(validator),
        },
    )
    save_artifact(run / ARTIFACT_NAME, network, card)
    return run / ARTIFACT_NAME


def _training_time(validator: Validator) -> dict[str, float]:
    """Return the images and seconds of all steps, without validation.

    They come from the log, so steps before an interruption are included.
    """
    trainer = validator.plan.recipe.trainer
    per_step = trainer.batch_size * trainer.accumulate * validator.processes.size
    with (validator.plan.folder / CSV_NAME).open(encoding="utf-8", newline="") as file:
        rows = [(int(row["step"]), float(row["crops_per_s"])) for row in csv.DictReader(file)]
    seconds, before = 0.0, 0
    for step, crops_per_s in rows:
        seconds += (step - before) * per_step / crops_per_s if crops_per_s > 0 else 0.0
        before = step
    return {"images": before * per_step, "seconds": round(seconds, 1)}


def _threshold_on_videos(best: BestStep, validator: Validator) -> _Thresholded:
    """Choose the threshold by the rule of the recipe, on the mean scores of the validation videos."""
    scores = validator.scores_of(best)
    videos = scores.video_level()
    rule = validator.plan.recipe.artifact.threshold_rule
    threshold = choose_threshold(videos.labels, videos.scores, rule=rule)
    return _Thresholded(scores, threshold, f"{rule} ({RULES[rule]}) on {len(videos)} validation {scores.unit}s", {})


def _threshold_on_reals(network: nn.Module, best: BestStep, validator: Validator) -> _Thresholded:
    """Choose the threshold on the real validation faces, for a network that was trained on pairs."""
    scores = validator.scores_of_reals(network)
    rate = validator.plan.recipe.artifact.false_positive_rate
    threshold, rule = threshold_of_reals(scores, false_positive_rate=rate, videos_name="validation videos")
    return _Thresholded(scores, threshold, rule, {"pairs": best.metrics})


def _complete(network: nn.Module, best: BestStep, validator: Validator, real_only: RealOnly) -> _Thresholded:
    """Fit the score of a network that learned from real faces only, and choose a threshold on real videos."""
    fitted = validator.fitted(network, real_only)
    if fitted is None:
        rule = f"none: {validator.plan.method.name} has no score as it is configured"
        return _Thresholded(None, DEFAULT_THRESHOLD, rule, best.metrics)
    metrics = {**best.metrics, "fit": fitted.measured}
    return _Thresholded(fitted.scores, fitted.threshold, fitted.threshold_rule, metrics)
