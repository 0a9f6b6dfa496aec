"""The recipe of a training run: the YAML file that `realface train` reads.

Paths in a recipe are relative to the current directory, as on the command line; the recipe that a run saves has them
absolute, so it can be used again from anywhere.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, field_validator, model_validator

from realface.core.recipe import Section, load_recipe
from realface.core.shipped import find_recipe
from realface.data.degradations.draw import DegradationsSection
from realface.data.pairs import REAL_FAKE
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakesSection
from realface.data.sampler import Sampling
from realface.datasets.real_folder import Identities
from realface.manifest.schema import COLUMNS, no_such_column
from realface.metrics.thresholds import ThresholdRule
from realface.models.catalog import known_methods
from realface.models.config import MethodConfig
from realface.models.pretrained import PACKAGES
from realface.training.optimisers import OptimiserConfig
from realface.training.schedules import ConstantSchedule, ScheduleConfig

MetricName = Literal[
    "video_auc",
    "auc",
    "accuracy",
    "log_loss",
    "inpainting_error",
    "pair_auc",
    "pair_order",
    "seen_auc",
    "held_out_auc",
]

AbsolutePath = Annotated[Path, AfterValidator(lambda path: Path(os.path.abspath(path.expanduser())))]  # noqa: PTH100
FilterValue = str | int | None | list[str | int | None]


class SamplesSection(Section):
    """Rows of manifests that a run uses."""

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


class TrainSamples(SamplesSection):
    """Samples that the network learns from."""

    sampling: Sampling = Field(
        "balanced",
        description="`balanced`: as many reals as fakes in an epoch, the larger class taking turns. `paired`: each "
        "fake beside a real of the video that it was made from. `all`: every row once an epoch, as always where a "
        "method learns from real faces alone",
    )
    flip: float = Field(0.5, ge=0, le=1, description="probability that a crop is mirrored; RECCE: 0.5")
    degradations: DegradationsSection | None = Field(
        None,
        description="degrade training crops at the network's input size, such as by compression, resizing and noise; "
        "`{}` takes the defaults. null: crops are used as they are",
    )


class ValidationSamples(SamplesSection):
    """Samples on which the best step and the threshold are chosen."""

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


class OwnCropsSection(Section):
    """Settings that turn the photos and videos of `data.real` into crops."""

    margin: float = Field(0.4, ge=0, le=4, description="added around the face, as a share of its longer side")
    size: int | None = Field(
        None,
        ge=16,
        le=4096,
        description="height and width of a crop, in pixels; null: the multiple of 64 from `method.input_size` / 0.7 "
        "up, so that a crop can be cut closer and still be large enough",
    )
    min_face: int = Field(64, ge=0, description="smaller faces are left out; longer side of the face box, in pixels")
    frames: int = Field(16, ge=1, description="frames of each video, evenly spread")

    def size_for(self, input_size: int) -> int:
        """Return the height and width of a crop, in pixels.

        Args:
            input_size: height and width of the network's input, in pixels.
        """
        return self.size or 64 * math.ceil(input_size / 0.7 / 64)


class DataSection(Section):
    """Source of the crops."""

    manifests: list[AbsolutePath] = Field(
        default=[], description="manifests of `train` and `val` alike, relative to the current directory"
    )
    real: AbsolutePath | None = Field(
        None,
        description="folder of real photos and videos, for a recipe with `pseudo_fakes`: `realface train` finds the "
        "faces and splits them by identity before it trains. Replaces `manifests`",
    )
    identities: Identities = Field(
        "auto",
        description="what counts as one person in `data.real`. `folders`: all files of a sub-folder; `files`: each "
        "photo or video; `auto`: sub-folders if ten or more stand side by side, else files",
    )
    crops: OwnCropsSection = Field(
        OwnCropsSection(), description="how the photos and videos of `data.real` become crops"
    )
    train: TrainSamples = Field(TrainSamples(filters={"split": "train"}), description="what the network learns from")
    val: ValidationSamples = Field(
        ValidationSamples(filters={"split": "val"}), description="what the best step and the threshold are chosen on"
    )
    allow_identity_overlap: bool = Field(
        False,
        description="allow identities, and originals of fakes, to appear in two splits, as in Celeb-DF's published "
        "split; reported at the start and recorded. A video itself may never appear in two splits",
    )
    workers: int = Field(2, ge=0, description="processes that decode crops; 0: the training process does it")
    residuals: AbsolutePath | None = Field(
        None,
        description="folder that `realface residuals` wrote, with the residual of every crop, relative to the current "
        "directory; null: a method that needs residuals computes them in every step",
    )

    @model_validator(mode="after")
    def _some_manifests(self) -> Self:
        named = [self.manifests, self.train.manifests, self.val.manifests]
        if self.real is not None and any(named):
            raise ValueError(
                "`real` and `manifests` are both given, but a run trains on one of them; remove `real`, or prepare its "
                "faces with `realface prepare` and add their manifest"
            )
        if self.real is None and not self.manifests and not all(named[1:]):
            raise ValueError(
                "no manifest is named; give `manifests`, or `train.manifests` and `val.manifests`; a recipe with "
                "`pseudo_fakes` also takes a folder of real photos and videos, `real`"
            )
        return self

    @model_validator(mode="after")
    def _no_degraded_residuals(self) -> Self:
        if self.residuals is not None and self.train.degradations is not None:
            raise ValueError(
                "`residuals` were computed from undegraded crops; remove `train.degradations`, or leave `residuals` out"
            )
        return self

    @model_validator(mode="after")
    def _no_mirrored_residuals(self) -> Self:
        if self.residuals is not None and self.train.flip > 0:
            raise ValueError(
                "`residuals` are those of faces as they are, and the MAE sees another one in a mirrored face; set "
                "`train.flip: 0`, or leave `residuals` out"
            )
        return self

    def manifests_of(self, rows: SamplesSection) -> list[Path]:
        """Return the manifests that a section reads: its own manifests, or else the common manifests."""
        return rows.manifests or self.manifests


class PairsSection(PseudoFakesSection):
    """Training on pairs: each real crop with a fake that is made from the same crop."""

    held_out: list[str] = Field(
        [],
        description="kinds that are used in validation only, to see how kinds are detected that training never showed; "
        "they need no entry in `kinds`, and a share there is ignored",
    )
    resynthesis: AbsolutePath | None = Field(
        None,
        description="folder that `realface resynthesise` wrote, relative to the current directory; the kind "
        "`resynthesis` needs it, and some swaps paste a face from it",
    )
    real_fakes: float = Field(
        0.0,
        ge=0,
        le=1,
        description="probability that a real crop is paired with a fake of the manifests instead, if one names its "
        "video in `original`; 0: fakes in the manifests are not used",
    )
    validation_pairs: int = Field(
        96, ge=2, description="validation pairs of each kind; the same ones in every validation and for every seed"
    )
    source_balance: float = Field(
        0.3,
        ge=0,
        le=1,
        description="each source of real faces (column `dataset`) is drawn in proportion to its number of identities "
        "to this power: 0 = all equally often, 1 = all identities equally often",
    )

    @field_validator("held_out")
    @classmethod
    def _known_held_out_kinds(cls, held_out: list[str]) -> list[str]:
        if unknown := sorted(set(held_out) - set(KINDS)):
            raise ValueError(f"unknown kinds {', '.join(unknown)}; allowed are {', '.join(KINDS)}")
        return list(dict.fromkeys(held_out))

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if not self.training_shares:
            raise ValueError("every kind is in `held_out`, so no pseudo-fake is left for training; remove one")
        return self

    @property
    def training_shares(self) -> dict[str, float]:
        """The share of each kind in training, to four digits; they add up to about 1."""
        used = {kind: share for kind, share in self.kinds.items() if share > 0 and kind not in self.held_out}
        return {kind: round(share / sum(used.values()), 4) for kind, share in used.items()}

    @property
    def all_kinds(self) -> list[str]:
        """Return the kinds of pseudo-fakes in validation: the kinds of training, then the held-out kinds."""
        return [*self.training_shares, *self.held_out]

    @property
    def validation_kinds(self) -> list[str]:
        """Return the kinds of fakes in validation: real fakes if the run uses them, then pseudo-fakes."""
        if self.real_fakes == 1:  # some pairs fall back to pseudo-fakes, which do not decide the best step of such runs
            return [REAL_FAKE, *self.held_out]
        return [REAL_FAKE, *self.all_kinds] if self.real_fakes else self.all_kinds


class TrainerSection(Section):
    """Settings of the training steps.

    A step is one step of the optimiser. It learns from `batch_size` x `accumulate` crops in each process.
    """

    steps: int = Field(ge=1, description="optimiser steps in all; RECCE on FF++: 90,000")
    batch_size: int = Field(32, ge=1, description="crops that a process computes at once; RECCE: 32")
    accumulate: int = Field(1, ge=1, description="batches whose gradients are averaged into one step")
    device: str = Field("auto", description="`auto`, `cpu`, `cuda`, `cuda:1`, `mps`")
    devices: int = Field(
        1,
        ge=1,
        description="processes on this machine, each with its device; torchrun and SLURM set their own number",
    )
    precision: Literal["fp32", "bf16", "fp16", "auto"] = Field(
        "fp32",
        description="`bf16`, `fp16`: computes in half precision where torch deems it safe; weights stay float32. "
        "`fp16` scales the loss, so that small gradients are not lost. `auto`: bf16 where the device has instructions "
        "for it, otherwise fp32",
    )
    channels_last: bool = Field(
        True, description="memory order with channels innermost; much faster on CPUs and tensor cores"
    )
    compile: bool = Field(False, description="compile the step with torch.compile; slow to start, faster afterwards")
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the gradient of all weights together")
    average_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the running mean of the weights (EMA) that each step keeps, such as 0.999; the mean is "
        "then what is validated and becomes the detector. null: none",
    )
    average_warmup: bool = Field(
        False,
        description="`average_decay` grows with the steps n as (1 + n) / (10 + n) until it is reached, so that a short "
        "run's mean does not stay near the first weights",
    )
    frozen_norms: bool = Field(
        False,
        description="batch norms use their statistics as they came and do not change them; `method.folded_norms` folds "
        "those of a pretrained encoder into its convolutions",
    )
    sync_batch_norm: bool = Field(
        False,
        description="batch norms take their statistics over all processes; GPUs only. RECCE's release with several "
        "GPUs: true, always",
    )
    global_losses: bool = Field(
        False,
        description="losses are taken over the batch of all processes instead of each process's own: two processes "
        "then equal one with the double batch",
    )
    max_skipped_steps: int = Field(
        20, ge=1, description="steps in a row that may be skipped because a gradient is not finite, before the run ends"
    )
    validate_every: int = Field(500, ge=1, description="steps between validations; the last step is always validated")
    log_every: int = Field(20, ge=1, description="steps whose mean losses make one row of the log")
    checkpoint_every: int | None = Field(
        None, ge=1, description="steps between checkpoints, beside the one before each validation; null: no others"
    )
    keep_checkpoints: int = Field(3, ge=1, description="newest checkpoints that are kept, beside the best")


class SelectionSection(Section):
    """Choice of the validated step that becomes the artifact."""

    metric: MetricName | None = Field(
        None,
        description="compared on the validation rows; of `log_loss` and `inpainting_error` the lowest is best. null: "
        "`video_auc`, or `inpainting_error`, the only one, for a method that learns from real faces alone. With "
        "`pseudo_fakes`: `pair_auc` (the default; mean of the AUC of each kind), `pair_order` (share of pairs whose "
        "fake scores higher), `seen_auc` and `held_out_auc` (means over the kinds of training and those held out), or "
        "`log_loss`",
    )
    patience: int | None = Field(
        None, ge=1, description="validations without a better one after which the run ends early; null: never"
    )


class ArtifactSection(Section):
    """Content of the trained detector's files."""

    purpose: Literal["detection", "research", "demonstration"] = Field(
        "research", description="`demonstration`: every verdict says that it means nothing about real videos"
    )
    licence: str = Field("unstated", description="terms of the weights, which follow from those of the data")
    threshold_rule: ThresholdRule = Field(
        "balanced_accuracy",
        description="how the threshold is chosen on the validation videos; a method that learns from real faces alone "
        "has `false_positive_rate` instead",
    )
    false_positive_rate: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="for a method that learns from real faces alone, and with `pseudo_fakes`: share of the real "
        "validation videos that the threshold may call fake",
    )


class TrainRecipe(Section):
    """A training run. Its `method` is the settings of one method of the catalog (`recipe_schema`)."""

    name: str = Field("run", min_length=1, description="what the run is called in reports")
    seed: int = Field(0, ge=0, lt=2**32, description="of every draw: first weights, order, augmentation, dropout")
    method: MethodConfig = Field(description="the method, by `name`, and its settings")
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
        """Set `encoder_mean` and `encoder_std`, unless they are given, to the values of a package's weights."""
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
    """Return the recipe whose `method` section is any method's of the catalog, including plug-ins."""
    return _schema_with(tuple(method.config_type for method in known_methods().values()))


@cache  # one class per catalog, so that equal recipes are equal
def _schema_with(configs: tuple[type[MethodConfig], ...]) -> type[TrainRecipe]:
    choice: Any = reduce(or_, configs)
    if len(configs) > 1:
        choice = Annotated[choice, Field(discriminator="name")]
    description = TrainRecipe.model_fields["method"].description
    return create_model("TrainRecipe", __base__=TrainRecipe, method=(choice, Field(description=description)))


def load_train_recipe(name: str | Path, *, overrides: Sequence[str] = ()) -> TrainRecipe:
    """Read a recipe.

    Args:
        name: a YAML file, or the name of a shipped recipe, such as `demo`; a file takes precedence.
        overrides: `key.inner=value` settings over it.

    Raises:
        MissingInputError: neither a file nor a shipped recipe.
        RecipeError: faults, all in one text.

    Example:
        >>> load_train_recipe("demo", overrides=["data.manifests=[faces.parquet]"]).trainer.steps
        400
    """
    return load_recipe(recipe_schema(), find_recipe(name), overrides=overrides)
