"""The optimisers that a recipe can name: the optimisers of RECCE's configuration, and AdamW.

Defaults are torch's, unless a description names another source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from torch import nn, optim

from realface.core.recipe import Section

Decay = Annotated[float, Field(ge=0, lt=1)]


class OptimiserSection(Section):
    """Settings that every optimiser has."""

    name: str = Field(description="which optimiser")
    lr: float = Field(gt=0, description="learning rate before the schedule")
    encoder_lr: float | None = Field(
        None,
        gt=0,
        description="learning rate of the pretrained part of the network, its encoder, before the schedule, while the "
        "rest of the network has `lr`; null: `lr` for all",
    )
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty, added to the gradient")
    no_decay_on_norms: bool = Field(
        False,
        description="weight decay spares biases and norms, as in MAE and RFFR: all weights of one dimension",
    )


class SgdConfig(OptimiserSection):
    """Stochastic gradient descent, with optional momentum."""

    name: Literal["sgd"] = Field("sgd", description="`sgd`")
    lr: float = Field(1e-3, gt=0, description="learning rate before the schedule")
    momentum: float = Field(0.0, ge=0, lt=1, description="share of the last step kept in the next; 0.9 is usual")
    nesterov: bool = Field(False, description="look ahead by the momentum before the gradient is taken")

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("`nesterov` looks ahead by the momentum, which is 0; set `momentum`, such as 0.9")
        return self


class AdamConfig(OptimiserSection):
    """Adam: each weight's mean gradient, divided by its recent size."""

    name: Literal["adam"] = Field("adam", description="`adam`")
    lr: float = Field(
        2e-4, gt=0, description="learning rate before the schedule. Source: RECCE; RFFR's classifier: 2e-5"
    )
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty, added to the gradient; RECCE: 1e-5")
    betas: tuple[Decay, Decay] = Field(
        (0.9, 0.999), description="decay of the running means of the gradient and of its square"
    )
    eps: float = Field(1e-8, gt=0, description="added to the denominator")


class AdamwConfig(OptimiserSection):
    """AdamW: Adam with a weight decay that does not pass through the adaptive step."""

    name: Literal["adamw"] = Field("adamw", description="`adamw`")
    lr: float = Field(
        1e-3, gt=0, description="learning rate before the schedule; RFFR's MAE: 1.5e-4 for each 256 of the batch"
    )
    weight_decay: float = Field(
        0.01, ge=0, description="share of a weight that is taken off at a rate of 1; RFFR's MAE: 0.05"
    )
    betas: tuple[Decay, Decay] = Field(
        (0.9, 0.999),
        description="decay of the running means of the gradient and of its square; RFFR's MAE: 0.9 and 0.95",
    )
    eps: float = Field(1e-8, gt=0, description="added to the denominator")


class AsgdConfig(OptimiserSection):
    """Averaged stochastic gradient descent.

    The average stays in the optimiser's state; the detector gets the last weights, as in RECCE's release.
    """

    name: Literal["asgd"] = Field("asgd", description="`asgd`")
    lr: float = Field(1e-2, gt=0, description="learning rate before the schedule")
    lambd: float = Field(1e-4, ge=0, description="decay of the weights, and of the rate within the optimiser")
    alpha: float = Field(0.75, ge=0, description="power with which the rate falls")
    t0: float = Field(1e6, ge=0, description="step from which on weights are averaged")


class AdamaxConfig(OptimiserSection):
    """Adam with the largest recent gradient in place of the mean square."""

    name: Literal["adamax"] = Field("adamax", description="`adamax`")
    lr: float = Field(2e-3, gt=0, description="learning rate before the schedule")
    betas: tuple[Decay, Decay] = Field(
        (0.9, 0.999), description="decay of the running mean of the gradient and of its running maximum"
    )
    eps: float = Field(1e-8, gt=0, description="added to the denominator")


class AdadeltaConfig(OptimiserSection):
    """Adadelta: steps as large as recent steps, relative to the gradient."""

    name: Literal["adadelta"] = Field("adadelta", description="`adadelta`")
    lr: float = Field(1.0, gt=0, description="learning rate before the schedule")
    rho: Decay = Field(0.9, description="decay of the running means of the squares")
    eps: float = Field(1e-6, gt=0, description="added to both of their roots")


class AdagradConfig(OptimiserSection):
    """Adagrad: each weight's rate falls with the sum of its squared gradients."""

    name: Literal["adagrad"] = Field("adagrad", description="`adagrad`")
    lr: float = Field(1e-2, gt=0, description="learning rate before the schedule")
    lr_decay: float = Field(0.0, ge=0, description="the rate is divided by 1 + `lr_decay` x steps")
    initial_accumulator_value: float = Field(0.0, ge=0, description="what each sum of squares starts from")
    eps: float = Field(1e-10, gt=0, description="added to the denominator")


class RmspropConfig(OptimiserSection):
    """RMSprop: each weight's gradient is divided by its recent size."""

    name: Literal["rmsprop"] = Field("rmsprop", description="`rmsprop`")
    lr: float = Field(1e-2, gt=0, description="learning rate before the schedule")
    alpha: Decay = Field(0.99, description="decay of the running mean of the squared gradient")
    momentum: float = Field(0.0, ge=0, lt=1, description="share of the last step kept in the next")
    centered: bool = Field(False, description="the running mean of the gradient is taken off before it is squared")
    eps: float = Field(1e-8, gt=0, description="added to the denominator")


OptimiserConfig = Annotated[
    SgdConfig | AdamConfig | AdamwConfig | AsgdConfig | AdamaxConfig | AdadeltaConfig | AdagradConfig | RmspropConfig,
    Field(discriminator="name"),
]

CLASSES: Mapping[str, Callable[..., optim.Optimizer]] = MappingProxyType(
    {
        "sgd": optim.SGD,
        "adam": optim.Adam,
        "adamw": optim.AdamW,
        "asgd": optim.ASGD,
        "adamax": optim.Adamax,
        "adadelta": optim.Adadelta,
        "adagrad": optim.Adagrad,
        "rmsprop": optim.RMSprop,
    }
)


def build_optimiser(
    config: OptimiserSection, parameters: Iterable[nn.Parameter], *, encoder: Iterable[nn.Parameter] = ()
) -> optim.Optimizer:
    """Build the optimiser of the parameters that are trained; frozen parameters are excluded.

    All parameters form one group, unless `encoder_lr` or `no_decay_on_norms` require more. Groups with `lr` precede
    groups with `encoder_lr`; within each, parameters with weight decay precede parameters without. Empty groups are
    dropped.

    Args:
        config: section `optim` of the recipe.
        parameters: parameters of the whole task.
        encoder: parameters of the encoder, which have the rate `encoder_lr`. The group stores it as `initial_lr` too,
            from which a schedule reads the full rate of the group.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    settings = config.model_dump(exclude={"name", "encoder_lr", "no_decay_on_norms"})
    of_encoder = set() if config.encoder_lr is None else {id(parameter) for parameter in encoder}
    rate = {"lr": config.encoder_lr, "initial_lr": config.encoder_lr}
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in trained if id(parameter) not in of_encoder]},
        {"params": [parameter for parameter in trained if id(parameter) in of_encoder], **rate},
    ]
    if config.no_decay_on_norms:
        groups = [part for group in groups for part in _by_dimensions(group)]
    return CLASSES[config.name]([group for group in groups if group["params"]], **settings)


def _by_dimensions(group: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a group into weights, and norms and biases, which have one dimension and no weight decay."""
    others = [parameter for parameter in group["params"] if parameter.ndim >= 2]
    spared = [parameter for parameter in group["params"] if parameter.ndim < 2]
    return {**group, "params": others}, {**group, "params": spared, "weight_decay": 0.0}
