"""Every setting of the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, field_validator, model_validator

from realface.models.config import PairConfig

# At stride 32 this gives 2 x 2 values per channel; batch norm cannot train on 1 x 1 values and a batch of 1.
MIN_INPUT_SIZE = 64

ENCODER_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"legacy_xception": {"input_size": 299}, "light_xception": {"input_size": 128}}
)


class BaselineConfig(PairConfig):
    """The `method:` section of a recipe that trains the baseline, and the `config` of its artifacts.

    `input_size`, `encoder_mean` and `encoder_std` default to values that suit the encoder; the values shown are for
    `legacy_xception`.
    """

    name: Literal["baseline"] = Field("baseline", description="`baseline`")
    encoder: str = Field(
        "legacy_xception",
        description="any image network of timm, convolutional or transformer, by timm's name, such as `resnet50`, also "
        "with the tag of its weights, such as `resnet50.a1_in1k`; or `light_xception`, that of RECCE's small "
        "configuration",
    )
    encoder_mean: tuple[float, float, float] = Field(
        (0.5, 0.5, 0.5),
        description="mean of the images that the encoder is given, in RGB, of images in [0, 1]; timm's networks: what "
        "their weights were trained with",
    )
    encoder_std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (0.5, 0.5, 0.5), description="standard deviation, likewise"
    )
    input_size: int = Field(
        299,
        ge=MIN_INPUT_SIZE,
        description="height and width to which crops are resized, in pixels; light_xception: 128; timm's: what their "
        "weights were trained with. A transformer is built for this size and takes no other",
    )
    num_classes: Literal[1, 2] = Field(
        1, description="1: one logit, binary cross-entropy. 2: two logits, cross-entropy"
    )
    folded_norms: bool = Field(
        False,
        description="fold the encoder's batch norms into its convolutions when training starts: their statistics stay "
        "those of `encoder_weights`, and a step takes less time.",
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="before the classifier; RECCE's, so that both have the same")
    flood_level: float = Field(
        0.0, ge=0, description="b of |loss - b| + b, below which the loss rises again; 0: none; RECCE: 0.04"
    )

    @model_validator(mode="before")
    @classmethod
    def _suit_the_encoder(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {**_suitable_settings(str(values.get("encoder", "legacy_xception"))), **values}

    @field_validator("encoder")
    @classmethod
    def _is_known(cls, encoder: str) -> str:
        if encoder not in ENCODER_DEFAULTS:
            from realface.models.baseline.encoders import require_encoder  # imports timm

            require_encoder(encoder)
        return encoder

    @model_validator(mode="after")
    def _fits_the_images(self) -> Self:
        if self.encoder not in ENCODER_DEFAULTS:
            from realface.models.baseline.encoders import require_input_size  # imports timm

            require_input_size(self.encoder, self.input_size)
        return self

    @model_validator(mode="after")
    def _has_norms_to_fold(self) -> Self:
        if self.folded_norms:
            from realface.models.baseline.encoders import require_foldable  # imports timm

            require_foldable(self.encoder, self.input_size)
        return self

    @model_validator(mode="after")
    def _has_a_map_for_the_mask_head(self) -> Self:
        if self.mask_head:
            from realface.models.baseline.encoders import require_middle_map  # imports timm

            require_middle_map(self.encoder, self.input_size)
        return self


def _suitable_settings(encoder: str) -> Mapping[str, Any]:
    if encoder in ENCODER_DEFAULTS:
        return ENCODER_DEFAULTS[encoder]
    from realface.models.baseline.encoders import settings_of_timm_encoder  # imports timm

    return settings_of_timm_encoder(encoder)
