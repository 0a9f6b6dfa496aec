"""The optimisers that a recipe can name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from realface.core.recipe import Section


class AdamConfig(Section):
    """Adam, or AdamW, whose weight decay does not pass through the adaptive step."""

    name: Literal["adam", "adamw"] = Field(description="`adam` (RECCE) or `adamw` (decoupled weight decay)")
    lr: float = Field(2e-4, gt=0, description="learning rate before the schedule; RECCE: 2e-4")
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = Field(
        (0.9, 0.999), description="decay of the running means of the gradient and of its square"
    )
    eps: float = Field(1e-8, gt=0, description="added to the denominator")
    weight_decay: float = Field(0.0, ge=0, description="RECCE: 1e-5")


class SgdConfig(Section):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = Field(description="`sgd`")
    lr: float = Field(gt=0, description="learning rate before the schedule")
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step kept in the next; 0 = none")
    nesterov: bool = Field(False, description="look ahead by the momentum before the gradient is taken")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty")


OptimiserConfig = Annotated[AdamConfig | SgdConfig, Field(discriminator="name")]


def build_optimiser(config: AdamConfig | SgdConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The optimiser over those parameters that are trained; frozen ones are left out."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    settings = config.model_dump(exclude={"name"})
    if isinstance(config, SgdConfig):
        return SGD(trained, **settings)
    if config.name == "adamw":
        return AdamW(trained, **settings)
    return Adam(trained, **settings)
