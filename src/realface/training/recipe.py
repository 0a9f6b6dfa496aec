"""What a training run is made of: the one YAML file that `realface train` reads.

Paths in a recipe are relative to the current directory, as on the command line; the recipe that a run saves has them
absolute, so it can be used again from anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, reduce
from importlib import resources
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, field_validator, model_validator

from realface.core.errors import MissingInputError
from realface.core.recipe import Section, load_recipe
from realface.data.manifest_schema import COLUMNS, no_such_column
from realface.metrics.thresholds import ThresholdRule
from realface.models.catalog import known_methods
from realface.training.optimisers import OptimiserConfig
from realface.training.schedules import ConstantSchedule, ScheduleConfig
from realface.training.selection import MetricName

SHIPPED_RECIPES = Path(str(resources.files("realface"))) / "recipes"

AbsolutePath = Annotated[Path, AfterValidator(lambda path: Path(os.path.abspath(path.expanduser())))]  # noqa: PTH100
FilterValue = str | int | None | list[str | int | None]


class RowsSection(Section):
    """Which rows of which manifests."""

    manifests: list[AbsolutePath] = Field(
        default=[], description="manifests, relative to the current directory; empty: those of `data.manifests`"
    )
    filters: dict[str, FilterValue] = Field(
        default={}, description="column: value, or a list of values; only rows that have them in every column are used"
    )

    @field_validator("filters")
    @classmethod
    def _known_columns(cls, filters: dict[str, FilterValue]) -> dict[str, FilterValue]:
        if unknown := [name for name in filters if name not in COLUMNS]:
            raise ValueError("; ".join(no_such_column(name) for name in unknown))
        return filters


class TrainRows(RowsSection):
    """What the network learns from."""

    balance: bool = Field(
        True, description="as many reals as fakes in an epoch, by leaving some of the larger class out"
    )
    flip: float = Field(0.5, ge=0, le=1, description="probability that a crop is mirrored; RECCE: 0.5")


class ValidationRows(RowsSection):
    """What the best step and the threshold are chosen on."""

    batch_size: int = Field(32, ge=1, description="crops that are scored at once")

    @field_validator("filters")
    @classmethod
    def _no_test_split(cls, filters: dict[str, FilterValue]) -> dict[str, FilterValue]:
        split = filters.get("split")
        if split == "test" or (isinstance(split, list) and "test" in split):
            raise ValueError(
                "`split: test` would choose the best step and the threshold on the test set, and the test numbers "
                "would mean nothing; use a validation split of the training data"
            )
        return filters


class DataSection(Section):
    """Where the crops come from."""

    manifests: list[AbsolutePath] = Field(
        default=[], description="manifests of `train` and `val` alike, relative to the current directory"
    )
    train: TrainRows = Field(TrainRows(filters={"split": "train"}), description="what the network learns from")
    val: ValidationRows = Field(
        ValidationRows(filters={"split": "val"}), description="what the best step and the threshold are chosen on"
    )
    workers: int = Field(2, ge=0, description="processes that decode crops; 0: the training process does it")

    @model_validator(mode="after")
    def _some_manifests(self) -> Self:
        if not self.manifests and not (self.train.manifests and self.val.manifests):
            raise ValueError("no manifest is named; give `manifests`, or `train.manifests` and `val.manifests`")
        return self

    def manifests_of(self, rows: RowsSection) -> list[Path]:
        """The manifests that a section reads: its own, or else the common ones."""
        return rows.manifests or self.manifests


class TrainerSection(Section):
    """How the steps are taken."""

    steps: int = Field(ge=1, description="optimiser steps in all; RECCE on FF++: 90,000")
    batch_size: int = Field(32, ge=1, description="crops per step; RECCE: 32")
    device: str = Field("auto", description="`auto`, `cpu`, `cuda`, `cuda:1`, `mps`")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="`bf16`: computes in bfloat16 where torch deems it safe; weights stay float32",
    )
    channels_last: bool = Field(
        True, description="memory order with channels innermost; much faster on CPUs and tensor cores"
    )
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the gradient of all weights together")
    validate_every: int = Field(500, ge=1, description="steps between validations; the last step is always validated")
    log_every: int = Field(20, ge=1, description="steps whose mean losses make one row of the log")


class SelectionSection(Section):
    """Which of the validated steps becomes the artifact."""

    metric: MetricName = Field(
        "video_auc", description="compared on the validation rows; of `log_loss` the lowest is best"
    )


class ArtifactSection(Section):
    """What is written into the trained detector."""

    purpose: Literal["detection", "research", "demonstration"] = Field(
        "research", description="`demonstration`: every verdict says that it means nothing about real videos"
    )
    licence: str = Field("unstated", description="terms of the weights, which follow from those of the data")
    threshold_rule: ThresholdRule = Field(
        "balanced_accuracy", description="how the threshold is chosen on the validation videos"
    )


class TrainRecipe(Section):
    """A training run. Its `method` is the settings of one method of the catalog (`recipe_schema`)."""

    name: str = Field("run", min_length=1, description="what the run is called in reports")
    seed: int = Field(0, ge=0, lt=2**32, description="of every draw: first weights, order, augmentation, dropout")
    method: Section = Field(description="the method, by `name`, and its settings")
    encoder_weights: AbsolutePath | None = Field(
        None,
        description="file of pretrained weights for the method's encoder, such as ImageNet's, relative to the current "
        "directory; null: start from random ones",
    )
    data: DataSection = Field(description="where the crops come from")
    optim: OptimiserConfig = Field(description="the optimiser")
    schedule: ScheduleConfig = Field(ConstantSchedule(), description="how the learning rate changes")
    trainer: TrainerSection = Field(description="how the steps are taken")
    selection: SelectionSection = Field(SelectionSection(), description="which step becomes the artifact")
    artifact: ArtifactSection = Field(ArtifactSection(), description="what is written into the detector")


def recipe_schema() -> type[TrainRecipe]:
    """The recipe whose `method` section is any method's of the catalog, those of plug-ins included."""
    return _schema_with(tuple(method.config_type for method in known_methods().values()))


@cache  # one class per catalog, so that equal recipes are equal
def _schema_with(configs: tuple[type[Section], ...]) -> type[TrainRecipe]:
    choice: Any = reduce(or_, configs)
    if len(configs) > 1:
        choice = Annotated[choice, Field(discriminator="name")]
    description = TrainRecipe.model_fields["method"].description
    return create_model("TrainRecipe", __base__=TrainRecipe, method=(choice, Field(description=description)))


def load_train_recipe(name: str | Path, *, overrides: Sequence[str] = ()) -> TrainRecipe:
    """Read a recipe.

    Args:
        name: a YAML file, or the name of a shipped recipe, such as `demo`; a file goes first.
        overrides: `key.inner=value` settings over it.

    Raises:
        MissingInputError: neither a file nor a shipped recipe.
        RecipeError: faults, all in one text.
    """
    return load_recipe(recipe_schema(), find_recipe(name), overrides=overrides)


def find_recipe(name: str | Path) -> Path:
    """The file of a recipe that is named by its path, or by its name where it is shipped.

    Raises:
        MissingInputError: there is neither; the text lists the shipped ones.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = {path.stem: path for path in sorted(SHIPPED_RECIPES.glob("*.yaml"))}
    if str(name) not in shipped:
        raise MissingInputError(f"recipe {name} is not a file, and not a shipped recipe: {', '.join(shipped)}")
    return shipped[str(name)]
