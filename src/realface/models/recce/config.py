"""Every constant of RECCE, with its source."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from realface.models.config import PairConfig

# Stride 32 must give at least 2 x 2 values per channel, or batch norm cannot train on a batch of 1.
MIN_INPUT_SIZE = 64

ENCODER_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "legacy_xception": {"input_size": 299, "decoder_widths": (256, 128, 64), "reasoning_width": 256},
        "light_xception": {"input_size": 128, "decoder_widths": (64, 32, 16), "reasoning_width": 64},
    }
)


class RecceConfig(PairConfig):
    """The `method:` section of a recipe that trains RECCE, and the `config` of its artifacts.

    `input_size`, `encoder_mean`, `encoder_std`, `decoder_widths` and `reasoning_width` default to values that suit the
    encoder; the values shown are for `legacy_xception`, the paper's encoder.
    """

    name: Literal["recce"] = Field("recce", description="`recce`")
    encoder: str = Field(
        "legacy_xception",
        description="`legacy_xception`: the paper's. `light_xception`: ours, of the same blocks, narrow enough to be "
        "trained from scratch on two CPU cores. Or a convolutional network of timm, by timm's name, such as "
        "`resnet50`, also with the tag of its weights, such as `resnet50.a1_in1k`",
    )
    encoder_mean: tuple[float, float, float] = Field(
        (0.5, 0.5, 0.5),
        description="mean of the images that the encoder is given, in RGB, of images in [0, 1]; timm's networks: what "
        "their weights were trained with. Source: release",
    )
    encoder_std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (0.5, 0.5, 0.5), description="standard deviation, likewise. Source: release"
    )
    input_size: int = Field(
        299,
        ge=MIN_INPUT_SIZE,
        description="height and width to which crops are resized, in pixels; light_xception: 128; timm's: 256. "
        "Source: paper, 4.1 (WildDeepfake: 224)",
    )
    num_classes: Literal[1, 2] = Field(
        1, description="1: one logit, binary cross-entropy. 2: two logits, cross-entropy. Source: release"
    )
    decoder_widths: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (256, 128, 64),
        description="channels after each doubling; light_xception: 64, 32, 16; timm's: a third of the encoder's width "
        "at stride 16, as a power of two from 64 to 256, then halved twice. Source: release",
    )
    reasoning_width: PositiveInt = Field(
        256,
        description="channels of a vertex in the graph reasoning; light_xception: 64; timm's: the first decoder width. "
        "Source: release",
    )
    folded_norms: bool = Field(
        False,
        description="fold the encoder's batch norms into its convolutions when training starts: their statistics stay "
        "those of `encoder_weights`, and a step takes less time. The decoder, the reasoning and the attention keep "
        "theirs",
    )
    reasoning: bool = Field(True, description="false leaves the graph reasoning out, for an ablation")
    attention: bool = Field(True, description="false leaves the reconstruction-guided attention out, for an ablation")
    dropout: float = Field(
        0.2, ge=0, lt=1, description="before decoder and classifier, inside reasoning and attention. Source: release"
    )
    noise_std: float = Field(
        1e-6, ge=0, description="of the noise on the encoder's input in training, images in [-1, 1]. Source: release"
    )
    noise_probability: float = Field(
        0.5, ge=0, le=1, description="share of the training images that get the noise. Source: release"
    )
    flood_level: float = Field(
        0.04, ge=0, description="b of |loss - b| + b, below which the classification loss rises again. Source: release"
    )
    lambda_1: float = Field(
        0.1, ge=0, description="weight of the reconstruction loss; 0 leaves it out. Source: paper, 4.1"
    )
    lambda_2: float = Field(0.1, ge=0, description="weight of the metric loss; 0 leaves it out. Source: paper, 4.1")
    metric_margin: float = Field(
        1.0, description="how much more alike two reals should be than a real and a fake. Source: paper, 3.2"
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
            from realface.models.recce.encoders.choice import require_encoder  # imports timm

            require_encoder(encoder)
        return encoder

    @model_validator(mode="after")
    def _has_norms_to_fold(self) -> Self:
        if self.folded_norms:
            from realface.models.recce.encoders.choice import require_foldable  # imports timm

            require_foldable(self.encoder)
        return self


def _suitable_settings(encoder: str) -> Mapping[str, Any]:
    if encoder in ENCODER_DEFAULTS:
        return ENCODER_DEFAULTS[encoder]
    from realface.models.recce.encoders.choice import settings_of_timm_encoder  # imports timm

    return settings_of_timm_encoder(encoder)
