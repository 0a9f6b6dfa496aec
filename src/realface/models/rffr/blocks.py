"""The blocks of 3 x 3 patches by which a face is inpainted, and which of them are hidden together."""

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
"""Patches per side of a block. Source: paper."""

Pass = tuple[int, ...]
"""The blocks that are hidden together."""


@dataclass(frozen=True)
class Block:
    """A square of 3 x 3 patches.

    Attributes:
        row: of its upper left patch, from 0.
        column: likewise.
        hidden: its nine patches, row by row, as numbers in the grid.
        owned: those whose inpainting is kept: each patch is owned by one block.
    """

    row: int
    column: int
    hidden: tuple[int, ...]
    owned: tuple[int, ...]

    def touches(self, other: Block) -> bool:
        """Return whether the two have a patch in common, or patches side by side or corner to corner."""
        return abs(self.row - other.row) <= SIDE and abs(self.column - other.column) <= SIDE


@dataclass(frozen=True)
class BlockGrid:
    """The blocks that cover a face.

    The inner ones are RFFR's: side by side, centred, within a ring of patches that they leave out; with 14 x 14 patches
    16 blocks from row and column 1. With the ring covered too, as many more stand along the edges, hide 3 x 3 patches
    each like the others, and own what the inner ones do not.

    Attributes:
        side: patches per side of the grid.
        blocks: the inner ones row by row, then those of the ring.
    """

    side: int
    blocks: tuple[Block, ...]

    @classmethod
    @cache
    def of(cls, side: int, *, outer_ring: bool) -> BlockGrid:
        """Return the blocks of a grid.

        Args:
            side: patches per side, at least 5.
            outer_ring: whether every patch is covered.
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
        """Return which blocks are hidden together: each alone, or as many as do not touch."""
        if mode == "exact":
            return tuple((block,) for block in range(len(self.blocks)))
        inner = range(num_blocks_per_side(self.side) ** 2)
        ring = range(len(inner), len(self.blocks))
        return (*self._groups(inner), *self._groups(ring))  # apart, so that the ring changes nothing within it

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
        """Return the patches that some blocks own, or all blocks, block by block."""
        chosen = range(len(self.blocks)) if used is None else used
        return tuple(patch for block in chosen for patch in self.blocks[block].owned)


def block_patches(row: int, column: int, *, side: int) -> tuple[int, ...]:
    """Return the nine patches of the block whose upper left one is at (row, column), row by row."""
    return tuple((row + i) * side + column + j for i in range(SIDE) for j in range(SIDE))


def _ring_corners(side: int) -> list[tuple[int, int]]:
    """Blocks along the four edges; the last of an edge is moved back to end with it."""
    last = side - SIDE
    along = [min(place, last) for place in range(0, side, SIDE)]
    rows = [(row, column) for row in (0, last) for column in along]
    columns = [(row, column) for row in along[1:-1] for column in (0, last)]
    return rows + columns


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
