"""The blocks of 3 x 3 patches that are hidden and inpainted, and the groups of blocks hidden in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from realface.models.eager import eager
from realface.models.rffr.config import MaeConfig, num_blocks_per_side, num_visible

SIDE = 3
"""Number of patches per side of a block. Source: paper."""

Pass = tuple[int, ...]
"""Numbers of the blocks that are hidden together."""


@dataclass(frozen=True)
class Block:
    """A square of 3 x 3 patches.

    Attributes:
        row: row of the upper left patch, from 0.
        column: column of the upper left patch, from 0.
        hidden: numbers of the nine patches in the grid, row by row.
        owned: numbers of the patches for which this block's inpainting is kept; each patch is owned by one block.
    """

    row: int
    column: int
    hidden: tuple[int, ...]
    owned: tuple[int, ...]

    def touches(self, other: Block) -> bool:
        """Return whether the two blocks overlap, or are adjacent at a side or a corner."""
        return abs(self.row - other.row) <= SIDE and abs(self.column - other.column) <= SIDE


@dataclass(frozen=True)
class BlockGrid:
    """The blocks that cover a face.

    The inner blocks are RFFR's: side by side and centred, inside a ring of patches that no block covers. A grid of
    14 x 14 patches has 16 inner blocks, from row and column 1. To cover the ring, the same number of blocks is added
    along the edges. These blocks also hide 3 x 3 patches each, and own the patches that no inner block owns.

    Attributes:
        side: number of patches per side of the grid.
        blocks: the inner blocks row by row, then the blocks of the ring.
    """

    side: int
    blocks: tuple[Block, ...]

    @classmethod
    @cache
    def of(cls, side: int, *, outer_ring: bool) -> BlockGrid:
        """Return the blocks of a grid.

        Args:
            side: number of patches per side, at least 5.
            outer_ring: whether to cover the outermost patches too.
        """
        per_side = num_blocks_per_side(side)
        start = (side - SIDE * per_side) // 2
        corners = [(start + SIDE * row, start + SIDE * column) for row in range(per_side) for column in range(per_side)]
        if outer_ring:
            corners += _ring_corners(side)
        taken: set[int] = set()
        blocks = []
        for row, column in corners:
            hidden = block_patches(row, column, side=side)
            owned = tuple(patch for patch in hidden if patch not in taken)
            taken.update(owned)
            blocks.append(Block(row, column, hidden, owned))
        return cls(side, tuple(block for block in blocks if block.owned))

    def passes(self, mode: Literal["exact", "fast"]) -> tuple[Pass, ...]:
        """Return the groups of blocks that are hidden together: single blocks, or blocks that do not touch."""
        if mode == "exact":
            return tuple((block,) for block in range(len(self.blocks)))
        inner = range(num_blocks_per_side(self.side) ** 2)
        ring = range(len(inner), len(self.blocks))
        return (*self._groups(inner), *self._groups(ring))  # separate, so the ring does not change inner passes

    def _groups(self, numbers: Sequence[int]) -> list[Pass]:
        groups: list[Pass] = []
        for number in numbers:
            block = self.blocks[number]
            fitting = (i for i, group in enumerate(groups) if not any(block.touches(self.blocks[n]) for n in group))
            place = next(fitting, None)
            if place is None:
                groups.append((number,))
            else:
                groups[place] += (number,)
        return groups

    def patches(self, used: Sequence[int] | None = None) -> tuple[int, ...]:
        """Return the patches that the used blocks own, block by block; by default, all blocks are used."""
        chosen = range(len(self.blocks)) if used is None else used
        return tuple(patch for block in chosen for patch in self.blocks[block].owned)


def block_patches(row: int, column: int, *, side: int) -> tuple[int, ...]:
    """Return the nine patches of the block with its upper left patch at (row, column), row by row."""
    return tuple((row + i) * side + column + j for i in range(SIDE) for j in range(SIDE))


def _ring_corners(side: int) -> list[tuple[int, int]]:
    """Return the corners of the blocks along the four edges; the last block of an edge is moved back to fit."""
    last = side - SIDE
    along = [min(place, last) for place in range(0, side, SIDE)]
    rows = [(row, column) for row in (0, last) for column in along]
    columns = [(row, column) for row in along[1:-1] for column in (0, last)]
    return rows + columns


PERIOD = SIDE + 1
"""Distance of neighbouring blocks, in patches; one patch stays visible between two blocks."""


@eager
def draw_masks(
    config: MaeConfig, num_images: int, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Draw the patches to hide in each image, with the config's masking.

    Args:
        config: config of the MAE.
        num_images: number of images B.
        generator: generator on the CPU; torch's global generator by default.

    Returns:
        The visible patches (B, N - M) and the hidden patches (B, M), int64.
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
    """Draw blocks that do not touch, from a lattice with a random origin; return their patches (9 x blocks,)."""
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
    """Draw each block with a probability, the same for all images: (B, blocks) bool; all blocks if the draw is empty.

    Source: RFFR's release, which draws for the whole batch.
    """
    drawn = torch.rand(num_blocks, generator=generator) < probability
    return (drawn if drawn.any() else ~drawn).expand(num_images, -1)


@eager
def draw_blocks(num_blocks: int, num_images: int, *, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw `count` blocks for each image: (B, blocks) bool."""
    first = torch.rand(num_images, num_blocks, generator=generator).argsort(dim=1)[:, :count]
    return torch.zeros(num_images, num_blocks, dtype=torch.bool).scatter(1, first, True)
