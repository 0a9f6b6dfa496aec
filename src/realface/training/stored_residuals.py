"""Precomputed residuals of a run's crops, checked to be equal to the residuals that its network would compute."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from realface.core.errors import ResidualStoreError, TrainingError
from realface.data.crop_store import crop_keys
from realface.data.residual_store import ResidualKind, ResidualStore, StoredResiduals
from realface.manifest.manifest import Manifest
from realface.models.catalog import get_method
from realface.training.data import TrainingData
from realface.training.frozen_mae import MaeRecord
from realface.training.recipe import TrainRecipe
from realface.training.resuming import PROVENANCE_NAME, is_run

NAMED_FILES = 3
"""Number of crops without a residual that an error lists; further crops are counted."""
ORIGIN = "residuals"


def with_residuals(rows: TrainingData, mae: MaeRecord | None, recipe: TrainRecipe, run: Path) -> TrainingData:
    """Return the rows of a run with the stored residual of each, if the recipe gives a store.

    Args:
        rows: samples of the run.
        mae: MAE of the network; None for a method without an MAE, which uses no residuals.
        recipe: recipe of the run.
        run: folder of the run. A resumed run needs residuals of the same kind.

    Raises:
        MissingInputError: no such store.
        TrainingError: the method uses no residuals, or the run started with different residuals.
        ResidualStoreError: the store is damaged, of another MAE or other settings, or crops of the run are missing.
    """
    folder = recipe.data.residuals
    origins = dict(rows.origins)
    if folder is not None:
        if mae is None:
            raise TrainingError(
                f"data.residuals: {recipe.method.name} takes no residuals", hint="leave data.residuals out"
            )
        store = ResidualStore(folder)
        _require_kind(store, mae, recipe)
        inputs = [{"residual": _residuals_of(part, store, recipe)} for part in (rows.train, rows.val)]
        rows = replace(rows, train_inputs=inputs[0], val_inputs=inputs[1])
        origins[ORIGIN] = store.header.model_dump(mode="json")
    _require_same(run, origins.get(ORIGIN))
    return replace(rows, origins=origins)


def _require_kind(store: ResidualStore, mae: MaeRecord, recipe: TrainRecipe) -> None:
    (residual,) = get_method(recipe.method.name).precomputed
    needed = ResidualKind(mae=mae.weights, **residual.key(recipe.method))
    if store.header.kind != needed:
        raise ResidualStoreError(
            f"data.residuals: {store.folder} holds residuals of [{store.header.kind.describe()}], but the run "
            f"needs [{needed.describe()}]",
            hint="compute those in another folder with `realface residuals`, or set method.residual",
        )


def _residuals_of(rows: Manifest, store: ResidualStore, recipe: TrainRecipe) -> StoredResiduals:
    keys = crop_keys(rows)
    missing = [str(rows.file_of(row)) for row, key in enumerate(keys) if key not in store]
    if missing:
        data, header = recipe.data, store.header
        manifests = dict.fromkeys([*data.manifests_of(data.train), *data.manifests_of(data.val)])
        words = ["realface", "residuals", recipe.mae or "MAE", *manifests, "--out", store.folder]
        words += ["--mode", header.mode, "--outer-ring" if header.outer_ring else "--no-outer-ring"]
        words += ["--precision", header.precision, "--dtype", header.dtype]
        more = f" and {len(missing) - NAMED_FILES} more" if len(missing) > NAMED_FILES else ""
        raise ResidualStoreError(
            f"data.residuals: {store.folder} lacks {len(missing)} of {len(keys)} crops: "
            f"{', '.join(missing[:NAMED_FILES])}{more}",
            hint=f"add them with `{shlex.join(map(str, words))}`",
        )
    return store.rows(keys)


def _require_same(run: Path, header: dict[str, Any] | None) -> None:
    """Refuse to resume with residuals of another precision, or to switch between stored and computed residuals."""
    if not is_run(run):
        return
    then = json.loads((run / PROVENANCE_NAME).read_text(encoding="utf-8")).get(ORIGIN)
    if then != header:
        raise TrainingError(
            f"{run} cannot go on: it began with {_told(then)}, now it has {_told(header)}",
            hint="set data.residuals as it was, or begin again in another folder",
        )


def _told(header: dict[str, Any] | None) -> str:
    if header is None:
        return "residuals that it computes itself, or none"
    return f"stored residuals ({header['precision']}, {header['dtype']})"
