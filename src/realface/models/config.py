"""Base classes of the configs of methods."""

from __future__ import annotations

from pydantic import Field

from realface.core.recipe import Section


class MethodConfig(Section):
    """Base of the config of every method: the `method:` section of a recipe, and the `config` of its artifacts."""

    name: str = Field(description="name of the method in the catalog")
    input_size: int = Field(gt=0, description="height and width to which crops are resized, in pixels")


class PairConfig(MethodConfig):
    """Base of the config of a method that can train on pairs of a real face and a pseudo-fake."""

    mask_head: bool = Field(
        False,
        description="add a 1x1 convolution at stride 16 that shows where a face was manipulated; trained on pairs only "
        "(`pseudo_fakes`)",
    )
    rank_weight: float = Field(
        0.5,
        ge=0,
        description="weight of the ranking loss softplus(real - fake) within a pair; used on pairs only. Ours",
    )
    mask_weight: float = Field(
        1.0, ge=0, description="weight of the mask head's cross-entropy; used on pairs only. Ours"
    )
