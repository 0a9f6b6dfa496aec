"""Check whether a run can be resumed: its recipe and its rows must be unchanged."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from realface.core.errors import TrainingError
from realface.core.files import write_json
from realface.training.checkpoint import Checkpoint
from realface.training.processes import Processes
from realface.training.recipe import TrainRecipe, load_train_recipe

RECIPE_NAME = "recipe.yaml"
PROVENANCE_NAME = "provenance.json"
FREE_SETTINGS = (
    "name",
    "artifact",
    "mae",  # the checkpoint contains its weights
    "data.manifests",  # their rows are compared, independent of their path
    "data.train.manifests",
    "data.val.manifests",
    "data.val.batch_size",
    "data.workers",
    "data.residuals",  # their origin is compared, independent of their path
    "trainer.device",
    "trainer.devices",
    "trainer.batch_size",  # their product with the processes is checked with the checkpoint
    "trainer.accumulate",
    "trainer.compile",
    "trainer.max_skipped_steps",
    "trainer.log_every",
    "trainer.checkpoint_every",
    "trainer.keep_checkpoints",
    "selection.patience",
)
"""Keys that may differ when a run is resumed: they affect the execution, not the results."""


def is_run(folder: Path) -> bool:
    """Return whether `realface train` has started a run in this folder."""
    return (folder / RECIPE_NAME).is_file() and (folder / PROVENANCE_NAME).is_file()


def require_run(folder: Path) -> None:
    """Refuse a folder without a run to resume.

    Raises:
        TrainingError: the folder contains no run.
    """
    if not is_run(folder):
        raise TrainingError(
            f"{folder} holds no run that could be taken up", hint="name the recipe too, and it is begun"
        )


def require_same_run(run: Path, recipe: TrainRecipe, *, train_sha256: str, val_sha256: str) -> None:
    """Refuse to resume with another recipe, or on other rows.

    Args:
        run: folder of the run.
        recipe: recipe to resume with.
        train_sha256: hash of the current training rows.
        val_sha256: hash of the current validation rows.

    Raises:
        TrainingError: they differ; the text lists every setting, then and now.
        RecipeError: the run's own recipe was changed, or is another version's.
    """
    then, now = _settings(load_train_recipe(run / RECIPE_NAME)), _settings(recipe)
    free = set(FREE_SETTINGS)
    if recipe.schedule.name != "cosine":  # every rate of a cosine depends on the length
        free.add("trainer.steps")
    changed = [
        f"{name} was {then.get(name)!r}, now {now.get(name)!r}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name) and name not in free and name.partition(".")[0] not in free
    ]
    if changed:
        raise TrainingError(
            f"{run} cannot go on with another recipe: {'; '.join(changed)}", hint="use the same one, or another folder"
        )
    recorded = json.loads((run / PROVENANCE_NAME).read_text(encoding="utf-8"))
    for name, sha256 in (("train", train_sha256), ("val", val_sha256)):
        if recorded[name]["sha256"] != sha256:
            raise TrainingError(
                f"{run} cannot go on: the rows of data.{name} are not those that it began with",
                hint="restore the manifests, or begin again in another folder",
            )


def require_same_steps(checkpoint: Checkpoint, num_steps: int, crops_per_step: int, processes: Processes) -> None:
    """Refuse steps of another size or an end that is past, and warn if dropout will continue differently.

    Raises:
        TrainingError: a step would learn from more or fewer crops; or the run is already past its new end.
    """
    if checkpoint.step > num_steps:
        raise TrainingError(
            f"the run has taken {checkpoint.step} steps already, but trainer.steps is {num_steps}", hint="set it higher"
        )
    if checkpoint.crops_per_step != crops_per_step:
        raise TrainingError(
            f"the run's steps had {checkpoint.crops_per_step} crops over all processes, now they would have "
            f"{crops_per_step}",
            hint=(
                f"set trainer.batch_size and trainer.accumulate so that their product with the {processes.size} "
                "processes is the same"
            ),
        )
    if len(checkpoint.generators) != processes.size:
        print(
            f"realface: warning: the run had {len(checkpoint.generators)} processes, now it has {processes.size}: it "
            "learns from the same crops, but dropout and noise differ",
            file=sys.stderr,
        )


def record_resumption(run: Path, origin: dict[str, Any], *, step: int) -> None:
    """Add to the run's provenance that it was resumed, with the step and the origin."""
    document = json.loads((run / PROVENANCE_NAME).read_text(encoding="utf-8"))
    document.setdefault("resumed", []).append({"step": step, **origin})
    write_json(run / PROVENANCE_NAME, document)


def _settings(recipe: TrainRecipe) -> dict[str, Any]:
    """Return every setting by its dotted name."""
    flat: dict[str, Any] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{name}.{key}" if name else key)
        else:
            flat[name] = value

    walk(recipe.model_dump(mode="json"), "")
    return flat
