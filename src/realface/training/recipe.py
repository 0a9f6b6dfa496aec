"""What a training run is made of: the one YAML file that `realface train` reads.

Paths in a recipe are relative to the current directory, as on the command line; the recipe that a run saves has them
absolute, so it can be used again from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, create_model, model_validator

from realface.core.recipe import Section, load_recipe
from realface.core.shipped import find_recipe
from realface.models.catalog import known_methods
from realface.models.pretrained import PACKAGES
from realface.training.optimisers import OptimiserConfig
from realface.training.schedules import ConstantSchedule, ScheduleConfig
from realface.training.sections import (
    AbsolutePath,
    ArtifactSection,
    DataSection,
    PairsSection,
    SelectionSection,
    TrainerSection,
)


class TrainRecipe(Section):
    """A training run. Its `method` is the settings of one method of the catalog (`recipe_schema`)."""

    name: str = Field("run", min_length=1, description="what the run is called in reports")
    seed: int = Field(0, ge=0, lt=2**32, description="of every draw: first weights, order, augmentation, dropout")
    method: Section = Field(description="the method, by `name`, and its settings")
    encoder_weights: Literal["timm", "lite0", "lite1", "lite2"] | AbsolutePath | None = Field(
        None,
        description="file of pretrained weights for the method's encoder, such as ImageNet's, relative to the current "
        "directory; `timm`: fetched from timm's hub when the run begins; `lite0`, `lite1`, `lite2`: ImageNet's for the "
        "encoder `tf_efficientnet_lite0`, `1` or `2`, from an installed package (extra `pretrained`), with the "
        "normalisation that they were trained with; null: start from random ones",
    )
    mae: AbsolutePath | None = Field(
        None,
        description="artifact or run folder of the MAE inside the network, relative to the current directory: "
        "`rffr` needs one of `rffr-mae`, whose settings become `method.mae`. null: the method has none",
    )
    data: DataSection = Field(description="where the crops come from")
    pseudo_fakes: PairsSection | None = Field(
        None,
        description="train on pairs of a real face and a fake made from it; the manifests then need no fakes, and "
        "fakes in them are left out. null: train on the manifests' own labels",
    )
    optim: OptimiserConfig = Field(description="the optimiser")
    schedule: ScheduleConfig = Field(ConstantSchedule(), description="how the learning rate changes")
    trainer: TrainerSection = Field(description="how the steps are taken")
    selection: SelectionSection = Field(SelectionSection(), description="which step becomes the artifact")
    artifact: ArtifactSection = Field(ArtifactSection(), description="what is written into the detector")

    @model_validator(mode="before")
    @classmethod
    def _suit_the_packaged_weights(cls, values: Any) -> Any:
        """Set `encoder_mean` and `encoder_std`, unless they are given, to those of the weights of a package."""
        if not isinstance(values, Mapping) or not isinstance(method := values.get("method"), Mapping):
            return values
        package = PACKAGES.get(str(values.get("encoder_weights")))
        if package is None or str(method.get("encoder")).partition(".")[0] != package.network:
            return values
        return {**values, "method": {"encoder_mean": package.mean, "encoder_std": package.std, **method}}

    @model_validator(mode="after")
    def _fakes_for_real_faces(self) -> Self:
        if self.data.real is not None and self.pseudo_fakes is None:
            raise ValueError(
                "`data.real` has real faces only, and this recipe makes no fakes from them; use the recipe "
                "real-faces-only, or add a section `pseudo_fakes`"
            )
        return self


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
