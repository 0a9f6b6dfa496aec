"""The frozen MAE inside a run's network: found before the run begins, loaded when its network is built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import nn

from realface.core.crop_spec import CropSpec, require_same_crops
from realface.core.errors import TrainingError
from realface.core.process_number import warn_once
from realface.core.recipe import Section, check_recipe
from realface.models.artifact import find_artifact, load_network, read_card
from realface.models.catalog import get_method
from realface.models.method import FrozenPart, Method
from realface.training.data import TrainingData
from realface.training.recipe import TrainRecipe
from realface.training.resuming import PROVENANCE_NAME, is_run

ROLE = "mae"
"""Of the MAE in the artifact's `trained_on` and in the run's provenance."""


class MaeRecord(Section):
    """Provenance record of a run's MAE; the weights themselves are in the checkpoints."""

    name: str = Field(description="the last two parts of its folder")
    weights: str = Field(description="its fingerprint")
    config: dict[str, Any] = Field(description="its settings, which are the run's `method.mae`")
    crop: CropSpec = Field(description="how the crops were made that it was trained on")
    trained_on: list[dict[str, Any]] = Field(description="as its artifact says")
    fast_residual: dict[str, Any] | None = Field(
        None, description="how much the fast residual differs, as its artifact says; null: it was not measured"
    )


def resolve_mae(recipe: TrainRecipe, method: Method, run: Path) -> tuple[TrainRecipe, MaeRecord | None]:
    """Find the MAE that a recipe needs, and copy its settings into the recipe.

    Args:
        recipe: recipe of the run.
        method: method of the recipe.
        run: folder of the run. A started run has a record of its MAE, so the MAE is not read again.

    Returns:
        The recipe with `method.mae` and the settings that follow from it, and the record of the MAE; None for a method
        without an MAE.

    Raises:
        MissingInputError: the MAE does not exist.
        ArtifactError: it cannot be used.
        ModelInputError: it cannot inpaint.
        TrainingError: the method uses no MAE, needs an MAE and the recipe gives no path, or needs another kind; or the
            recipe's `method.mae` differs from the MAE.
        RecipeError: the MAE's settings do not fit the recipe's further settings.
    """
    if method.frozen_part is None:
        if recipe.mae is not None:
            raise TrainingError(f"mae: {method.name} takes none", hint="leave mae out")
        return recipe, None
    found = _recorded(run) or _read_record(recipe, method, method.frozen_part)
    return _with_settings_of(found, recipe), found


def with_mae(rows: TrainingData, mae: MaeRecord | None, recipe: TrainRecipe) -> TrainingData:
    """Return the rows of a run, extended so that artifact and provenance list its MAE too.

    Raises:
        CropSpecError: the rows' crops have other settings than the crops that the MAE was trained on.
    """
    if mae is None:
        return rows
    data = recipe.data
    names = dict.fromkeys([*data.manifests_of(data.train), *data.manifests_of(data.val)])
    require_same_crops(
        rows.crop, crops_name=", ".join(map(str, names)), model=mae.crop, model_name=f"the MAE {mae.name}"
    )
    if mae.crop.is_unknown and not rows.crop.is_unknown:  # unknown crops of the rows have their own warning
        warn_once(
            f"warning: how the crops were made that the MAE {mae.name} learned from is unknown; whether "
            "these fit is not checked"
        )
    told = {"role": ROLE, "name": mae.name, "sha256": mae.weights, "trained_on": mae.trained_on}
    origins = {**rows.origins, ROLE: mae.model_dump(mode="json")}
    return replace(rows, trained_on=[*rows.trained_on, told], origins=origins)


def load_mae(network: Any, recipe: TrainRecipe, mae: MaeRecord) -> None:
    """Load the MAE into a new network, in place.

    Raises:
        MissingInputError, ArtifactError: the MAE cannot be read any more.
        TrainingError: the recipe has no MAE, or its weights have changed.
    """
    source = get_method(recipe.method.name).frozen_part
    assert source is not None
    if recipe.mae is None:  # a resumed run whose first checkpoint was never written
        raise TrainingError(
            f"mae: the run began with {mae.name} and has no checkpoint yet that holds it",
            hint="set mae to its folder",
        )
    weights = _read_weights(find_artifact(recipe.mae), source)
    if source.fingerprint(weights) != mae.weights:
        raise TrainingError(
            f"mae: {recipe.mae} is not the one that the run began with",
            hint="restore it, or begin again in another folder",
        )
    network.take_mae(weights)


def _recorded(run: Path) -> MaeRecord | None:
    """Return the MAE of a started run."""
    if not is_run(run):
        return None
    recorded = json.loads((run / PROVENANCE_NAME).read_text(encoding="utf-8")).get(ROLE)
    return None if recorded is None else check_recipe(MaeRecord, recorded, where=str(run / PROVENANCE_NAME))


def _read_record(recipe: TrainRecipe, method: Method, source: FrozenPart) -> MaeRecord:
    if recipe.mae is None:
        raise TrainingError(
            f"mae: {method.name} needs one, and none is given",
            hint=f"train one with the method {source.method}, and name its run: --set mae=RUN",
        )
    folder = find_artifact(recipe.mae)
    card = read_card(folder)
    if card.method != source.method:
        raise TrainingError(
            f"mae: {folder} is an artifact of {card.method}, and {method.name} needs one of {source.method}"
        )
    return MaeRecord(
        name="/".join(recipe.mae.parts[-2:]),
        weights=source.fingerprint(_read_weights(folder, source)),
        config=card.config,
        crop=card.crop,
        trained_on=card.trained_on,
        fast_residual=card.metrics.get("fit", {}).get("fast_residual"),
    )


def _read_weights(folder: Path, source: FrozenPart) -> nn.Module:
    return source.read(load_network(folder), where=str(folder))


def _with_settings_of(mae: MaeRecord, recipe: TrainRecipe) -> TrainRecipe:
    written = recipe.method.model_dump(mode="json", exclude_unset=True)
    differences = _differences(written.get("mae", {}), mae.config, "method.mae")
    if differences:
        raise TrainingError(
            f"the recipe says otherwise than the MAE {mae.name}: {'; '.join(differences)}",
            hint="leave method.mae out, or give another MAE",
        )
    method = check_recipe(type(recipe.method), {**written, "mae": mae.config}, where="method with its MAE")
    return recipe.model_copy(update={"method": method})


def _differences(written: Mapping[str, Any], found: Mapping[str, Any], where: str) -> list[str]:
    """Return the recorded settings that differ from the settings found, with both values."""
    differences = []
    for name, value in written.items():
        other = found.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            differences += _differences(value, other, f"{where}.{name}")
        elif value != other:
            differences.append(f"{where}.{name} is {value!r}, the MAE's {other!r}")
    return differences
