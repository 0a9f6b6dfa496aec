"""Which patches are hidden in training, and which blocks the detector looks at: all that chance decides in RFFR."""

from __future__ import annotations

import torch
from torch import Tensor

from realface.models.eager import eager
from realface.models.rffr.blocks import SIDE, block_patches
from realface.models.rffr.config import MaeConfig, num_visible

PERIOD = SIDE + 1
"""Patches from block to block, so that one stays visible between them."""


@eager
def draw_masks(
    config: MaeConfig, num_images: int, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Patches to hide in each of some images, by the config's masking.

    Args:
        config: of the MAE.
        num_images: B.
        generator: on the CPU; torch's global one by default.

    Returns:
        The visible patches (B, N - M) and the hidden ones (B, M), int64.
    """
    side = config.grid_side
    if config.masking == "random":
        order = torch.rand(num_images, side**2, generator=generator).argsort(dim=1)
        count = num_visible(side**2, config.mask_ratio)
        return order[:, :count], order[:, count:]
    hidden = torch.stack([_spread_blocks(config, generator) for _ in range(num_images)])
    is_visible = torch.ones(num_images, side**2, dtype=torch.bool).scatter(1, hidden, False)
    return is_visible.nonzero()[:, 1].view(num_images, -1), hidden


def _spread_blocks(config: MaeConfig, generator: torch.Generator | None) -> Tensor:
    """(9 x blocks,) the patches of some blocks that do not touch: cells of a lattice with a random origin."""
    side = config.grid_side
    origins = [int(torch.randint(min(PERIOD, side - SIDE + 1), (), generator=generator)) for _ in range(2)]
    rows, columns = ([*range(origin, side - SIDE + 1, PERIOD)] for origin in origins)
    cells = [(row, column) for row in rows for column in columns]
    drawn = torch.randperm(len(cells), generator=generator)[: config.blocks_per_image]
    return torch.tensor([patch for cell in drawn.tolist() for patch in block_patches(*cells[cell], side=side)])


@eager
def draw_common_blocks(
    num_blocks: int, num_images: int, *, probability: float, generator: torch.Generator | None = None
) -> Tensor:
    """(B, blocks) bool: each block with some probability, the same in all images; all where none is drawn.

    Source: RFFR's release, which draws for the whole batch.
    """
    drawn = torch.rand(num_blocks, generator=generator) < probability
    return (drawn if drawn.any() else ~drawn).expand(num_images, -1)


@eager
def draw_blocks(num_blocks: int, num_images: int, *, count: int, generator: torch.Generator | None = None) -> Tensor:
    """(B, blocks) bool: so many blocks of each image, drawn for each."""
    first = torch.rand(num_images, num_blocks, generator=generator).argsort(dim=1)[:, :count]
    return torch.zeros(num_images, num_blocks, dtype=torch.bool).scatter(1, first, True)
