"""Resolve a recipe into everything that a run needs, before anything is written or computed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from realface.core.errors import OutputExistsError, TrainingError
from realface.core.files import require_free
from realface.models.catalog import get_method
from realface.models.config import MethodConfig
from realface.models.method import Method
from realface.training.data import TrainingData, load_data
from realface.training.encoder_weights import require_encoder_rate, settle_encoder_weights, with_encoder_weights
from realface.training.frozen_mae import MaeRecord, resolve_mae, with_mae
from realface.training.pair_faces import require_pairs_possible, with_pseudo_fakes
from realface.training.recipe import TrainRecipe
from realface.training.resuming import is_run
from realface.training.selection import deciding_metric
from realface.training.stored_residuals import with_residuals

FACES_NAME = "faces"
"""Folder of the crops in the folder of a run, if they were prepared for this run."""


@dataclass(frozen=True)
class RunPlan:
    """Resolved settings and data of a run, before its first step.

    Attributes:
        folder: folder of the run.
        recipe: settings of the run; `method` includes the settings of the frozen part.
        method: method of the recipe.
        data: training and validation samples with their precomputed inputs, and their origin for the artifact and the
            provenance.
        frozen: record of the network that is a frozen part of the method's network; None: the method has no such part.
        is_begun: whether the folder contains this run already, so that it continues.
    """

    folder: Path
    recipe: TrainRecipe
    method: Method
    data: TrainingData
    frozen: MaeRecord | None
    is_begun: bool

    @property
    def config(self) -> MethodConfig:
        """Settings of the method."""
        return self.recipe.method


def plan_run(recipe: TrainRecipe, folder: Path, *, resume: bool = False) -> RunPlan:
    """Resolve a recipe: find its method, read its manifests, and check that training on them makes sense.

    Args:
        recipe: recipe from `load_train_recipe`.
        folder: folder of the run.
        resume: whether the run may have started already.

    Raises:
        RealfaceError: see `require_consistent`, `resolve_mae`, `load_data`, `settle_encoder_weights`,
            `with_pseudo_fakes` and `with_residuals`.
    """
    method = require_consistent(recipe, folder, resume=resume)
    recipe, frozen = resolve_mae(recipe, method, folder)
    data = load_data(
        recipe.data,
        method,
        on_pairs=recipe.pseudo_fakes is not None,
        with_real_fakes=recipe.pseudo_fakes is not None and recipe.pseudo_fakes.real_fakes > 0,
    )
    data = with_encoder_weights(data, settle_encoder_weights(recipe, method, folder))
    data = with_pseudo_fakes(data, recipe.pseudo_fakes)
    data = with_residuals(with_mae(data, frozen, recipe), frozen, recipe, folder)
    return RunPlan(folder, recipe, method, data, frozen, is_begun=is_run(folder))


def require_consistent(recipe: TrainRecipe, run: Path, *, resume: bool) -> Method:
    """Refuse settings that are known to fail, before any crop is read.

    Args:
        recipe: recipe of the run.
        run: folder of the run.
        resume: whether the run may have started already.

    Returns:
        The method of the recipe.

    Raises:
        TrainingError: settings contradict each other.
        OutputExistsError: the folder is not empty.
    """
    method = get_method(recipe.method.name)
    require_pairs_possible(recipe, method)
    deciding_metric(recipe.selection.metric, method, recipe.pseudo_fakes)
    require_encoder_rate(recipe, method)
    if recipe.data.real is not None:
        raise TrainingError(
            "data.real: the faces are not prepared yet", hint="start this recipe with the command `realface train`"
        )
    if not is_run(run):
        require_free(run, allowed=own_faces(recipe, run))
    elif not resume:
        raise OutputExistsError(f"{run} holds a run already", hint="go on with it by --resume, or give another folder")
    return method


def faces_folder(run: Path) -> Path:
    """Return the absolute folder of the crops that are prepared for a run."""
    return Path(os.path.abspath(run)) / FACES_NAME  # noqa: PTH100 (as the recipe's own paths)


def own_faces(recipe: TrainRecipe, run: Path) -> list[str]:
    """Return the name of the folder of faces in the folder of a run, if the run trains on them; else an empty list."""
    folder = faces_folder(run)
    return [FACES_NAME] if any(folder in path.parents for path in recipe.data.manifests) else []
