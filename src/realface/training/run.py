"""A training run from its recipe to the detector it leaves."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric import Fabric

from realface.core.errors import TrainingError
from realface.core.files import new_folder, write_json
from realface.core.progress import progress
from realface.core.provenance import collect_provenance
from realface.core.recipe import save_recipe
from realface.metrics.summary import summarise
from realface.metrics.thresholds import RULES, choose_threshold
from realface.models.artifact import ArtifactCard, save_artifact
from realface.models.catalog import get_method
from realface.models.devices import resolve_device
from realface.training.batches import training_batches
from realface.training.checkpoint import load_checkpoint
from realface.training.logs import open_log
from realface.training.loop import Fitted, Losses, run_steps
from realface.training.optimisers import build_optimiser
from realface.training.randomness import reproducible
from realface.training.recipe import TrainRecipe
from realface.training.rows import RunRows, read_rows
from realface.training.schedules import build_schedule
from realface.training.selection import Validation
from realface.training.validation import BEST_NAME, Validator

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed"]] = {"fp32": "32-true", "bf16": "bf16-mixed"}
"""The recipe's words -> Fabric's."""
ARTIFACT_NAME = "artifact"


@dataclass(frozen=True)
class TrainResult:
    """What a finished run leaves.

    Attributes:
        artifact: the detector's folder.
        metric: what the best step was chosen by.
        best_metric: its value on the validation rows at the best step.
        best_step: steps taken before it.
        steps: steps of the run.
    """

    artifact: Path
    metric: str
    best_metric: float
    best_step: int
    steps: int


def train(recipe: TrainRecipe, run: Path, *, quiet: bool = False) -> TrainResult:
    """Train a detector.

    The same recipe gives the same weights, bit for bit, on the same machine's CPU, whatever the number of workers.
    Random generators and torch's settings are left as they were.

    Args:
        recipe: as `load_train_recipe` gives it.
        run: a new or empty folder. It then holds `recipe.yaml`, `provenance.json`, `log.csv`, `tensorboard/`,
            `checkpoints/{last,best}.ckpt`, `validation_scores.parquet` (of the best step) and `artifact/`.
        quiet: show no progress.

    Raises:
        RealfaceError: as `read_rows`, `resolve_device` and `new_folder`, before anything is written;
            TrainingError when the loss is not finite or a crop cannot be read.
    """
    device = resolve_device(recipe.trainer.device)
    rows = read_rows(recipe.data)
    with reproducible(recipe.seed, device):
        fabric, fitted = _set_up(recipe, device)
        provenance = _open_run(run, recipe=recipe, rows=rows, device=device)
        validator = Validator(fitted, rows.val, recipe=recipe, run=run, device=device)
        try:
            _fit(fabric, fitted, validator, recipe=recipe, rows=rows, run=run, quiet=quiet)
        except KeyboardInterrupt:
            print(f"realface train: {validator.describe_kept()}", file=sys.stderr)
            raise
    best = validator.best
    assert best is not None, "the last step is always validated"
    _write_artifact(fitted, best, recipe=recipe, rows=rows, run=run, provenance=provenance)
    metric = recipe.selection.metric
    return TrainResult(run / ARTIFACT_NAME, metric, best.metrics[metric], best.step, recipe.trainer.steps)


def _open_run(run: Path, *, recipe: TrainRecipe, rows: RunRows, device: torch.device) -> dict[str, Any]:
    """Make the run's folder with its recipe and provenance; the latter is returned."""
    new_folder(run)
    provenance = collect_provenance(
        seed=recipe.seed,
        device=str(device),
        threads=torch.get_num_threads(),
        train={"rows": len(rows.train), "sha256": rows.train.sha256()},
        val={"rows": len(rows.val), "sha256": rows.val.sha256()},
    )
    save_recipe(recipe, run / "recipe.yaml")
    write_json(run / "provenance.json", provenance)
    return provenance


def _set_up(recipe: TrainRecipe, device: torch.device) -> tuple[Fabric, Fitted]:
    """The task with its first weights, on the device, and what changes it."""
    config: Any = recipe.method
    method = get_method(config.name)
    network = method.build_network(config)
    if recipe.encoder_weights is not None:
        if method.load_encoder_weights is None:
            raise TrainingError(f"encoder_weights: {method.name} takes none; leave encoder_weights out")
        method.load_encoder_weights(network, recipe.encoder_weights)
    task = method.build_task(network)
    task = task.to(memory_format=torch.channels_last if recipe.trainer.channels_last else torch.contiguous_format)
    fabric = Fabric(
        accelerator=device.type,
        devices=1 if device.index is None else [device.index],
        precision=PRECISIONS[recipe.trainer.precision],
    )
    optimiser = build_optimiser(recipe.optim, task.parameters())
    schedule = build_schedule(recipe.schedule, optimiser, num_steps=recipe.trainer.steps)
    losses, fabric_optimiser = fabric.setup(Losses(task), optimiser)
    return fabric, Fitted(task, network, losses, fabric_optimiser, schedule)


def _fit(
    fabric: Fabric,
    fitted: Fitted,
    validator: Validator,
    *,
    recipe: TrainRecipe,
    rows: RunRows,
    run: Path,
    quiet: bool,
) -> None:
    config: Any = recipe.method
    batches = training_batches(
        rows.train,
        input_size=config.input_size,
        batch_size=recipe.trainer.batch_size,
        num_steps=recipe.trainer.steps,
        seed=recipe.seed,
        flip=recipe.data.train.flip,
        balance=recipe.data.train.balance,
        workers=recipe.data.workers,
        pin_memory=fabric.device.type == "cuda",
    )
    with open_log(run) as log, progress("train", recipe.trainer.steps, unit="steps", quiet=quiet) as shown:
        run_steps(
            fabric,
            fitted,
            batches,
            trainer=recipe.trainer,
            metric=recipe.selection.metric,
            validate=validator.validate,
            log=log,
            shown=shown,
        )


def _write_artifact(
    fitted: Fitted, best: Validation, *, recipe: TrainRecipe, rows: RunRows, run: Path, provenance: dict[str, Any]
) -> None:
    """The detector of the best step; its threshold is chosen on the validation videos, by their mean scores."""
    config: Any = recipe.method
    fitted.task.load_state_dict(load_checkpoint(run / BEST_NAME).task)
    rule = recipe.artifact.threshold_rule
    videos = best.scores.video_level()
    threshold = choose_threshold(videos.labels, videos.scores, rule=rule)
    card = ArtifactCard(
        method=config.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=rows.crop,
        threshold=threshold,
        threshold_rule=f"{rule} ({RULES[rule]}) on {len(videos)} validation videos",
        trained_on=rows.trained_on,
        metrics={
            "step": best.step,
            "selected_by": recipe.selection.metric,
            "validation": summarise(best.scores, threshold=threshold, seed=recipe.seed).to_json(),
        },
        licence=recipe.artifact.licence,
        purpose=recipe.artifact.purpose,
        provenance={"recipe": recipe.name, **provenance},
    )
    save_artifact(run / ARTIFACT_NAME, fitted.network, card)
