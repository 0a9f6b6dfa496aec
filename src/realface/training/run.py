"""A training run from its recipe to the detector it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from realface.core.errors import OutputExistsError, StoppedBySignal, TrainingError
from realface.core.files import new_folder, require_free, write_json
from realface.core.lock import locked
from realface.core.progress import Progress, progress
from realface.core.provenance import collect_provenance
from realface.core.recipe import save_recipe
from realface.core.stopping import Stopper
from realface.data.pairs import PairDataset
from realface.data.source_stream import SourceStream
from realface.models.catalog import Method, get_method
from realface.training.batches import Batch, training_batches
from realface.training.checkpoint import Checkpoint, CheckpointFolder
from realface.training.encoder_weights import require_encoder_rate, settle_encoder_weights, with_encoder_weights
from realface.training.finishing import write_detector
from realface.training.launch import launch, started_places
from realface.training.logs import NoLog, RunLog, open_log
from realface.training.loop import Loop
from realface.training.pair_batches import PairSampler, pair_batches
from realface.training.pair_faces import (
    PairFaces,
    compute_landmarks,
    open_faces,
    require_pairs_possible,
    with_pseudo_fakes,
)
from realface.training.pair_validation import PairValidation
from realface.training.pictures import inpainting_sheet, reconstruction_grid
from realface.training.priors import PriorRecord, settle_prior, with_prior
from realface.training.processes import Processes
from realface.training.randomness import reproducible, seed_process
from realface.training.recipe import TrainRecipe
from realface.training.resuming import (
    PROVENANCE_NAME,
    RECIPE_NAME,
    is_run,
    record_resumption,
    require_same_run,
    require_same_steps,
)
from realface.training.rows import RunRows, read_rows
from realface.training.selection import MetricName, deciding_metric, logged_metrics
from realface.training.setup import build_state, crops_per_step
from realface.training.state import TrainingState, all_generators
from realface.training.steps import Stepper
from realface.training.stored_residuals import with_residuals
from realface.training.validation import Validator

FACES_NAME = "faces"
"""Folder of the crops in a run's folder, if they were prepared for this run."""


@dataclass(frozen=True)
class TrainResult:
    """What a finished run leaves.

    Attributes:
        artifact: the detector's folder.
        metric: what the best step was chosen by.
        best_metric: its value on the validation rows at the best step.
        best_step: steps taken before it.
        steps: steps of the run; fewer than the recipe's when it stopped early.
        is_first_process: whether this process wrote the files, and should tell of them.
    """

    artifact: Path
    metric: MetricName
    best_metric: float
    best_step: int
    steps: int
    is_first_process: bool = True


def train(recipe: TrainRecipe, run: Path, *, resume: bool = False, quiet: bool = False) -> TrainResult:
    """Train a detector.

    The same recipe gives the same weights, bit for bit, on the same machine's CPU, whatever the number of workers and
    however often the run was broken off and taken up. Random generators and torch's settings are left as they were.

    Args:
        recipe: as `load_train_recipe` gives it.
        run: a new or empty folder, or with `resume` one in which this recipe's run was broken off. It then holds
            `recipe.yaml`, `provenance.json`, `log.csv`, `tensorboard/`, `checkpoints/`, `validation_scores.parquet` (of
            the best step) and `artifact/`. It may have crops in `faces/` already, if the recipe names them.
        resume: go on from the newest checkpoint; where there is none, begin.
        quiet: show no progress.

    Raises:
        RealfaceError: as `launch`, `read_rows`, `require_same_run` and `new_folder`, before anything is written;
            TrainingError when the run cannot go on; StoppedBySignal when it was asked to stop, its state saved.
    """
    method = require_sense(recipe, run, resume=resume)
    recipe, prior = settle_prior(recipe, method, run)
    rows = _rows(recipe, method, prior, run)
    fabric = launch(recipe.trainer)
    processes, stopper = Processes(), Stopper()
    with ExitStack() as exit_stack:
        with reproducible(recipe.seed, fabric.device), stopper.listening():
            checkpoint = processes.on_first(
                lambda: _open_run(run, recipe, rows, fabric, processes, exit_stack, resume=resume)
            )
            faces = _pair_faces(recipe, rows, run, processes, stopper, quiet=quiet)
            state = build_state(recipe, fabric, processes, is_new=checkpoint is None, prior=prior)
            seed_process(recipe.seed, processes.rank)
            if checkpoint is not None:
                state.restore(checkpoint, fabric, processes)
                del checkpoint  # as large as the state
            checkpoints = CheckpointFolder(run, keep=recipe.trainer.keep_checkpoints)
            pairs = _pair_validation(recipe, faces)
            validator = Validator(
                rows.val, method, recipe, checkpoints, processes, fabric.device, rows.val_inputs, pairs
            )
            with _open_outputs(run, state, validator, quiet=quiet) as (log, bar), _explain_stop(run, state):
                loop = Loop(
                    state=state,
                    stepper=Stepper(fabric, state, recipe.trainer),
                    validator=validator,
                    save=lambda: _save(state, checkpoints, fabric, processes),
                    pictures=lambda: _pictures(state, rows, method, fabric),
                    recipe=recipe,
                    processes=processes,
                    stopper=stopper,
                    log=log,
                    shown=bar,
                )
                loop.run(_batches(recipe, rows, faces, state, fabric, processes))
        result = processes.on_first(lambda: _finish(state, validator, rows=rows, run=run))
    return replace(result, is_first_process=processes.is_first)


def _rows(recipe: TrainRecipe, method: Method, prior: PriorRecord | None, run: Path) -> RunRows:
    """The rows of a run, with all that its artifact and provenance say of what it uses."""
    rows = read_rows(
        recipe.data,
        method,
        on_pairs=recipe.pseudo_fakes is not None,
        with_real_fakes=recipe.pseudo_fakes is not None and recipe.pseudo_fakes.real_fakes > 0,
    )
    rows = with_encoder_weights(rows, settle_encoder_weights(recipe, method, run))
    rows = with_pseudo_fakes(rows, recipe.pseudo_fakes)
    return with_residuals(with_prior(rows, prior, recipe), prior, recipe, run)


def require_sense(recipe: TrainRecipe, run: Path, *, resume: bool) -> Method:
    """Refuse what is known to fail before any crop is read; return the recipe's method.

    Args:
        recipe: of the run.
        run: its folder.
        resume: whether the run may have begun.

    Raises:
        TrainingError: settings that contradict each other.
        OutputExistsError: the folder has something in it.
    """
    config: Any = recipe.method
    method = get_method(config.name)
    require_pairs_possible(recipe, method)
    deciding_metric(recipe.selection.metric, method, recipe.pseudo_fakes)
    require_encoder_rate(recipe, method)
    if recipe.data.real is not None:
        raise TrainingError(
            "data.real: the faces are not prepared yet", hint="start this recipe with the command `realface train`"
        )
    if not is_run(run):
        require_free(run, besides=_own_faces(recipe, run))
    elif not resume:
        raise OutputExistsError(f"{run} holds a run already", hint="go on with it by --resume, or give another folder")
    return method


def faces_folder(run: Path) -> Path:
    """Return the absolute folder of the crops that are prepared for a run."""
    return Path(os.path.abspath(run)) / FACES_NAME  # noqa: PTH100 (as the recipe's own paths)


def _own_faces(recipe: TrainRecipe, run: Path) -> list[str]:
    """The folder of faces in a run's folder, if the run trains on these."""
    folder = faces_folder(run)
    return [FACES_NAME] if any(folder in path.parents for path in recipe.data.manifests) else []


def _open_run(
    run: Path,
    recipe: TrainRecipe,
    rows: RunRows,
    fabric: Fabric,
    processes: Processes,
    exit_stack: ExitStack,
    *,
    resume: bool,
) -> Checkpoint | None:
    """Begin a run's folder, or find the checkpoint to go on from; the folder is locked until `exit_stack` ends."""
    hashes = {"train": rows.train.sha256(), "val": rows.val.sha256()}
    left_out = {"fakes_left_out": rows.fakes_left_out} if rows.fakes_left_out else {}
    origin = collect_provenance(
        seed=recipe.seed,
        device=str(fabric.device),
        processes=processes.size,
        threads=torch.get_num_threads(),
        train={"rows": len(rows.train), "sha256": hashes["train"]},
        val={"rows": len(rows.val), "sha256": hashes["val"]},
        **left_out,
        **rows.origins,
    )
    if not (resume and is_run(run)):
        exit_stack.enter_context(locked(new_folder(run, besides=_own_faces(recipe, run))))
        write_json(run / PROVENANCE_NAME, origin)
        save_recipe(recipe, run / RECIPE_NAME)
        return None
    exit_stack.enter_context(locked(run))
    require_same_run(run, recipe, train_sha256=hashes["train"], val_sha256=hashes["val"])
    checkpoints = CheckpointFolder(run, keep=recipe.trainer.keep_checkpoints)
    checkpoints.clear_partial()
    checkpoint = checkpoints.newest()
    if checkpoint is not None:
        size = crops_per_step(recipe.trainer, processes)
        require_same_steps(checkpoint, recipe.trainer.steps, size, processes)
    record_resumption(run, origin, step=0 if checkpoint is None else checkpoint.step)
    return checkpoint


@contextmanager
def _open_outputs(
    run: Path, state: TrainingState, validator: Validator, *, quiet: bool
) -> Iterator[tuple[RunLog, Progress]]:
    """Open the log and the progress bar; only the first process has any."""
    is_first = validator.processes.is_first
    steps = validator.recipe.trainer.steps
    with ExitStack() as stack:
        log: RunLog = NoLog()
        if is_first:
            metrics = logged_metrics(validator.method, validator.recipe.pseudo_fakes)
            log = stack.enter_context(open_log(run, metrics=metrics, first_step=state.tally.judged_step + 1))
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


def _batches(
    recipe: TrainRecipe,
    rows: RunRows,
    faces: PairFaces | None,
    state: TrainingState,
    fabric: Fabric,
    processes: Processes,
) -> Iterator[Batch]:
    """What is left of the run's batches."""
    if faces is not None:
        return _pair_batches(recipe, faces, state, fabric, processes)
    config: Any = recipe.method
    trainer, data = recipe.trainer, recipe.data
    return training_batches(
        rows.train,
        input_size=config.input_size,
        batch_size=trainer.batch_size,
        num_batches=trainer.steps * trainer.accumulate,
        first_batch=state.tally.step * trainer.accumulate,
        seed=recipe.seed,
        flip=data.train.flip,
        degradations=data.train.degradations,
        sampling=rows.sampling,
        workers=data.workers,
        rank=processes.rank,
        world_size=processes.size,
        pin_memory=fabric.device.type == "cuda",
        inputs=rows.train_inputs,
    )


def _pair_faces(
    recipe: TrainRecipe, rows: RunRows, run: Path, processes: Processes, stopper: Stopper, *, quiet: bool
) -> PairFaces | None:
    """The faces of a run on pairs, whose landmarks are computed where they are not known; None for other runs."""
    if recipe.pseudo_fakes is None:
        return None
    with stopper.at_once() if processes.size == 1 else nullcontext():
        processes.on_first(lambda: compute_landmarks(rows, recipe, run, quiet=quiet))
    return open_faces(rows, recipe, run)


def _pair_validation(recipe: TrainRecipe, faces: PairFaces | None) -> PairValidation | None:
    config: Any = recipe.method
    if faces is None or recipe.pseudo_fakes is None:
        return None
    return PairValidation(faces.val, recipe.pseudo_fakes, config.input_size)


def _pair_batches(
    recipe: TrainRecipe, faces: PairFaces, state: TrainingState, fabric: Fabric, processes: Processes
) -> Iterator[Batch]:
    """The remaining batches of a run on pairs."""
    config: Any = recipe.method
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
        input_size=config.input_size,
        seed=recipe.seed,
        real_fakes=section.real_fakes,
    )
    return pair_batches(
        pairs,
        sampler,
        num_pairs=num_pairs,
        input_size=config.input_size,
        workers=recipe.data.workers,
        pin_memory=fabric.device.type == "cuda",
    )


def _save(state: TrainingState, checkpoints: CheckpointFolder, fabric: Fabric, processes: Processes) -> None:
    generators = all_generators(fabric, processes)
    state.means.share(processes)
    # all wait until it is written: the end of one process ends the others, after a signal too
    processes.on_first(lambda: checkpoints.save(state.capture(fabric, generators)))


def _pictures(state: TrainingState, rows: RunRows, method: Method, fabric: Fabric) -> dict[str, Tensor]:
    network: Any = state.judged_network
    size = network.config.input_size
    if method.real_only is not None:
        return inpainting_sheet(network, method.real_only, rows.val, input_size=size, device=fabric.device)
    return reconstruction_grid(network, rows.val, input_size=size, device=fabric.device)


def _finish(state: TrainingState, validator: Validator, *, rows: RunRows, run: Path) -> TrainResult:
    assert state.tally.best_step is not None, "the last step is always validated"
    best = validator.checkpoints.load_best(state.tally.best_step)
    artifact = write_detector(state.network, best, validator, rows=rows, run=run)
    metric = validator.metric
    return TrainResult(artifact, metric, best.metrics[metric], best.step, state.tally.step)
