"""The pretrained weights that a run's encoder starts from: checked and recorded before the run begins, loaded once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from pydantic import Field
from torch import nn

from realface.core.errors import TrainingError
from realface.core.files import existing, sha256_of
from realface.core.recipe import Section, check_recipe
from realface.models.method import Method
from realface.models.pretrained import PACKAGES, find_package, read_packaged_weights
from realface.training.data import TrainingData
from realface.training.recipe import TrainRecipe
from realface.training.resuming import PROVENANCE_NAME, is_run

KEY = "encoder_weights"
"""Key of the record in the run's provenance."""
ROLE = "encoder weights"
"""Role of the weights in the artifact's `trained_on`."""


class EncoderRecord(Section):
    """Provenance record of the weights that a run's encoder started from."""

    name: str = Field(description="`timm`, the package and its version, or the last two parts of the path")
    sha256: str | None = Field(None, description="of the file; null for timm's hub")
    package: str | None = Field(None, description="Python package that contains the file")
    version: str | None = Field(None, description="of the package")
    licence: str | None = Field(None, description="of the package")


def settle_encoder_weights(recipe: TrainRecipe, method: Method, run: Path) -> EncoderRecord | None:
    """Check `encoder_weights` before anything is written, and return their record.

    Args:
        recipe: recipe of the run.
        method: method of the recipe.
        run: folder of the run. A started run is not checked again, because its checkpoints contain the weights.

    Returns:
        The record for provenance; None without `encoder_weights`, or for a run without such a record.

    Raises:
        MissingInputError: no such file.
        ArtifactError: the package of the weights is not installed.
        TrainingError: the method takes no such weights.
    """
    source = recipe.encoder_weights
    if source is None:
        if getattr(recipe.method, "folded_norms", False):
            raise TrainingError(
                "method.folded_norms: norms of random weights have no statistics to fold",
                hint="give encoder_weights, or leave folded_norms out",
            )
        return None
    if is_run(run):
        return _recorded(run)
    if method.load_encoder_weights is None:
        raise TrainingError(f"encoder_weights: {method.name} takes none", hint="leave encoder_weights out")
    if isinstance(source, Path):
        path = existing(source, what="file of encoder_weights")
        return EncoderRecord(name="/".join(source.parts[-2:]), sha256=sha256_of(path))
    if source in PACKAGES:
        return _settle_package(source, recipe, method)
    if method.download_encoder_weights is None:
        raise TrainingError(f"encoder_weights: timm has none for {method.name}", hint="give a file, or leave it out")
    return EncoderRecord(name="timm")


def require_encoder_rate(recipe: TrainRecipe, method: Method) -> None:
    """Refuse a learning rate of the encoder for a method that has no separate encoder.

    Raises:
        TrainingError: the method has no encoder.
    """
    if recipe.optim.encoder_lr is not None and method.encoder_parameters is None:
        raise TrainingError(f"optim.encoder_lr: {method.name} has no encoder beside the rest", hint="set optim.lr only")


def with_encoder_weights(data: TrainingData, record: EncoderRecord | None) -> TrainingData:
    """Return the data of a run, extended so that artifact and provenance list the encoder's weights too."""
    if record is None:
        return data
    named = {"role": ROLE, "name": record.name, **({} if record.sha256 is None else {"sha256": record.sha256})}
    origins = {**data.origins, KEY: record.model_dump(mode="json", exclude_none=True)}
    return replace(data, trained_on=[*data.trained_on, named], origins=origins)


def load_encoder(method: Method, network: nn.Module, recipe: TrainRecipe) -> None:
    """Start a new network's encoder from the recipe's `encoder_weights`, in place.

    Raises:
        ArtifactError: the weights cannot be read, or do not fit.
    """
    source = recipe.encoder_weights
    if source is None:
        return
    if isinstance(source, Path):
        assert method.load_encoder_weights is not None
        method.load_encoder_weights(network, source)
    elif source in PACKAGES:
        assert method.take_encoder_weights is not None
        method.take_encoder_weights(network, read_packaged_weights(source), where=PACKAGES[source].distribution)
    else:
        assert method.download_encoder_weights is not None
        method.download_encoder_weights(network)


def _settle_package(source: str, recipe: TrainRecipe, method: Method) -> EncoderRecord:
    package = PACKAGES[source]
    if method.take_encoder_weights is None:
        raise TrainingError(
            f"encoder_weights: {source} is for the encoder {package.network}, which {method.name} cannot have",
            hint="give a file, or leave encoder_weights out",
        )
    encoder = str(getattr(recipe.method, "encoder", None))
    if encoder.partition(".")[0] != package.network:
        raise TrainingError(
            f"encoder_weights: {source} is for the encoder {package.network}, but method.encoder is {encoder}",
            hint=f"set method.encoder to {package.network}, or leave encoder_weights out",
        )
    installed = find_package(source)
    return EncoderRecord(
        name=f"{package.distribution} {installed.version}",
        sha256=package.sha256,
        package=package.distribution,
        version=installed.version,
        licence=package.licence,
    )


def _recorded(run: Path) -> EncoderRecord | None:
    recorded = json.loads((run / PROVENANCE_NAME).read_text(encoding="utf-8")).get(KEY)
    return None if recorded is None else check_recipe(EncoderRecord, recorded, where=str(run / PROVENANCE_NAME))
