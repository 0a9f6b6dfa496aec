"""All settings of RFFR's two tasks: the MAE, which learns real faces, and the detector that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, field_validator, model_validator

from realface.core.recipe import Section
from realface.models.config import MethodConfig

AS_MAE = "mae"
"""Name of the branch with the structure of the MAE's encoder."""
SMALLEST_GRID = 5
"""Smallest number of patches per side: one block of 3 x 3 patches and an outer ring."""

Share = Annotated[float, Field(gt=0, lt=1)]


def num_blocks_per_side(grid_side: int) -> int:
    """Return the number of blocks of 3 patches that fit between the first and the last patch of a side."""
    return (grid_side - 2) // 3


def num_visible(num_patches: int, mask_ratio: float) -> int:
    """Return the number of patches that stay visible with `random` masking."""
    return int(num_patches * (1 - mask_ratio))


def most_blocks(grid_side: int) -> int:
    """Return the number of blocks of 3 x 3 patches, one patch apart, that fit in a grid at any offset up to 3."""
    return max(1, (grid_side - 2) // 4) ** 2


class ResidualSection(Section):
    """Settings of the difference between a face and its inpainting."""

    mode: Literal["exact", "fast"] = Field(
        "exact",
        description="`exact`: each block is inpainted in a pass of its own, as in the paper. `fast`: blocks that do "
        "not touch are hidden together, 4 passes instead of 16; the artifact says how much that changes",
    )
    outer_ring: bool = Field(
        False, description="inpaint the outermost patches too, by 16 more blocks; the release never does"
    )
    amplification: float = Field(
        4.0, gt=0, description="the residual is this x (inpainted - face), clamped to [-1, 1]. Source: release"
    )
    chunk_size: int = Field(16, ge=1, description="passes computed at once; changes time and memory, not the result")


class MaeConfig(MethodConfig):
    """The `method:` section of a recipe that trains the MAE, and the `config` of its artifacts."""

    name: Literal["rffr-mae"] = Field("rffr-mae", description="`rffr-mae`")
    size: Literal["tiny", "small", "base", "large"] = Field(
        "base", description="of the masked autoencoder; RFFR: `base`. The sizes are in `models/rffr/mae.py`"
    )
    input_size: int = Field(
        224, ge=16, le=2048, description="height and width to which crops are resized, in pixels; RFFR: 224"
    )
    patch_size: int = Field(16, ge=2, description="height and width of a patch, in pixels; RFFR: 16")
    masking: Literal["random", "block"] = Field(
        "random",
        description="what is hidden in training. `random`: single patches, as in the paper. `block`: blocks of 3 x 3 "
        "patches, as the detector hides them later",
    )
    mask_ratio: Share = Field(0.75, description="share of the patches that `random` masking hides. Source: release")
    blocks_per_image: int = Field(
        4, ge=1, description="blocks that `block` masking hides in an image, not touching one another; RFFR's demo: 1"
    )
    norm_pix: bool = Field(
        False,
        description="train with per-patch normalised targets (norm_pix_loss). Good for representations, but such an "
        "MAE cannot inpaint, so it cannot be used where residuals are needed",
    )
    pixel_mean: tuple[float, float, float] = Field(
        (0.0, 0.0, 0.0),
        description="mean of the images that the MAE works on, in RGB, of images in [0, 1]; RFFR: 0; public MAE "
        "weights: ImageNet's 0.485, 0.456, 0.406",
    )
    pixel_std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (1.0, 1.0, 1.0),
        description="standard deviation, likewise; RFFR: 1; public MAE weights: ImageNet's 0.229, 0.224, 0.225",
    )
    residual: ResidualSection = Field(ResidualSection(), description="the residual that the MAE alone judges a face by")

    @property
    def grid_side(self) -> int:
        """Number of patches per side."""
        return self.input_size // self.patch_size

    @model_validator(mode="after")
    def _patches_fit(self) -> Self:
        if self.input_size % self.patch_size or self.grid_side < SMALLEST_GRID:
            raise ValueError(
                f"`input_size` must be a multiple of `patch_size`, and at least {SMALLEST_GRID} patches, got "
                f"{self.input_size} and {self.patch_size}"
            )
        if self.masking == "random" and num_visible(self.grid_side**2, self.mask_ratio) == 0:
            raise ValueError(f"`mask_ratio` leaves none of {self.grid_side**2} patches visible, got {self.mask_ratio}")
        most = most_blocks(self.grid_side)
        if self.masking == "block" and self.blocks_per_image > most:
            raise ValueError(
                f"`blocks_per_image` must be at most {most}, which is how many of the blocks of {self.grid_side} x "
                f"{self.grid_side} patches never touch, got {self.blocks_per_image}"
            )
        return self


class RffrConfig(MethodConfig):
    """The `method:` section of a recipe that trains the two-branch detector, and the `config` of its artifacts."""

    name: Literal["rffr"] = Field("rffr", description="`rffr`")
    mae: MaeConfig = Field(
        MaeConfig(),
        description="the MAE inside the detector; taken from the artifact that the recipe's `mae` names",
    )
    input_size: int = Field(224, description="height and width to which crops are resized, in pixels: the MAE's")
    branch: str = Field(
        "vit_base_patch16_224",
        description="the vision transformer of timm that each branch is, such as `vit_tiny_patch16_224`; built for the "
        "MAE's size of image and patch. `mae`: as the MAE's encoder is, from whose weights it starts: the better "
        "choice without ImageNet's. RFFR: `vit_base_patch16_224`",
    )
    image_mean: tuple[float, float, float] = Field(
        (0.485, 0.456, 0.406), description="mean of the images that the RGB branch is given; RFFR: ImageNet's"
    )
    image_std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (0.229, 0.224, 0.225), description="standard deviation, likewise; RFFR: ImageNet's"
    )
    block_probability: float = Field(
        0.25,
        gt=0,
        le=1,
        description="chance of each block to be used in a training step, the same blocks for the whole batch; all "
        "where none is drawn. Source: release",
    )
    blocks_per_image: int | None = Field(
        None, ge=1, description="use this many blocks of each image instead, drawn for each image; null: as above"
    )
    released_indexing: bool = Field(
        False,
        description="keep two quirks of the release that its weights depend on: the residual branch reads the patches "
        "one to the right, and the feature is the first kept patch instead of the class token",
    )
    residual: ResidualSection = Field(ResidualSection(), description="the residual that the second branch is given")

    @model_validator(mode="before")
    @classmethod
    def _size_follows_the_mae(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or "input_size" in values:
            return values
        mae = values.get("mae")
        if isinstance(mae, MaeConfig):
            return {**values, "input_size": mae.input_size}
        if isinstance(mae, Mapping) and "input_size" in mae:
            return {**values, "input_size": mae["input_size"]}
        return values

    @field_validator("branch")
    @classmethod
    def _is_a_transformer(cls, branch: str) -> str:
        if branch != AS_MAE:
            from realface.models.timm_networks import require_branch  # imports timm

            require_branch(branch)
        return branch

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        if self.input_size != self.mae.input_size:
            raise ValueError(
                f"`input_size` must be the MAE's, {self.mae.input_size}, got {self.input_size}; leave it out"
            )
        num_blocks = num_blocks_per_side(self.mae.grid_side) ** 2
        if self.blocks_per_image is not None and self.residual.outer_ring:
            raise ValueError("`blocks_per_image` needs blocks of one size, which those of `outer_ring` are not")
        if self.blocks_per_image is not None and self.blocks_per_image > num_blocks:
            raise ValueError(f"`blocks_per_image` must be at most {num_blocks}, got {self.blocks_per_image}")
        if self.released_indexing and self.residual.outer_ring:
            raise ValueError("`released_indexing` reads one patch further to the right, which the outer ring has not")
        if self.released_indexing and self.branch != AS_MAE:
            self._require_class_token_alone()
        return self

    def _require_class_token_alone(self) -> None:
        from realface.models.timm_networks import num_prefix_tokens  # imports timm

        if (count := num_prefix_tokens(self.branch)) != 1:
            raise ValueError(
                f"`released_indexing` counts one token before the patches, but {self.branch} has {count}, its class "
                "token and registers; leave released_indexing out, or take a branch without, such as "
                "vit_base_patch16_224"
            )
