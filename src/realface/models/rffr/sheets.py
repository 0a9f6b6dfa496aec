"""Draw sheets of an MAE's results: face | masked | inpainted | amplified difference.

Source: the demo of RFFR's release, which hides one random block of each face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realface.media.sheets import Picture, beside, stacked
from realface.models.rffr.blocks import SIDE, Block, BlockGrid, block_patches
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.residual import inpaint

AMPLIFICATION = 4.0
"""Amplification of the difference. Source: release."""
HIDDEN = 0.5
"""Grey level of hidden parts, in [0, 1]."""
VEIL = 0.7
"""Opacity of the grey over blocks that are hidden in separate passes."""
VALIDATION_GAP = 4

Corner = tuple[int, int]
"""Row and column of a block's upper left patch, from 0."""


@dataclass(frozen=True)
class InpaintedFace:
    """Four images of one face, (S, S, 3) each.

    Attributes:
        face: input of the MAE.
        masked: the face with its hidden parts in grey.
        inpainted: the face with its hidden parts inpainted.
        difference: absolute, amplified difference between the inpainted and the original face.
        error: root mean squared difference of the hidden parts, in grey levels from 0 to 255.
    """

    face: Picture
    masked: Picture
    inpainted: Picture
    difference: Picture
    error: float

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Images in the sheet's order."""
        return self.face, self.masked, self.inpainted, self.difference


def inpaint_one_block(
    mae: MaskedAutoencoder,
    image: Tensor,
    corners: Sequence[Corner],
    *,
    amplification: float = AMPLIFICATION,
    chunk_size: int = 16,
) -> list[InpaintedFace]:
    """Hide and inpaint one block of each face.

    Args:
        mae: the MAE.
        image: (B, 3, S, S) in [0, 1].
        corners: upper left patch of each face's block, B corners; any position in the grid is valid.
        amplification: factor for the absolute difference.
        chunk_size: number of passes computed at once.
    """
    side = mae.config.grid_side
    distinct = sorted(set(corners))
    patches = [block_patches(*corner, side=side) for corner in distinct]
    blocks = [Block(*corner, hidden, owned=hidden) for corner, hidden in zip(distinct, patches, strict=True)]
    used = torch.tensor([[corner == own for own in distinct] for corner in corners], device=image.device)
    inpainted = inpaint(mae, image, BlockGrid(side, tuple(blocks)), chunk_size=chunk_size, used=used)
    hidden = torch.tensor([block_patches(*corner, side=side) for corner in corners], device=image.device)
    return _drawn(image, _greyed(mae, image, hidden), inpainted, hidden, mae=mae, amplification=amplification)


def inpaint_all_blocks(
    mae: MaskedAutoencoder,
    image: Tensor,
    grid: BlockGrid,
    *,
    mode: Literal["exact", "fast"] = "exact",
    amplification: float = AMPLIFICATION,
    chunk_size: int = 16,
) -> list[InpaintedFace]:
    """Inpaint every block from its surroundings and combine the blocks, as for the detector's residual.

    Args:
        mae: the MAE.
        image: (B, 3, S, S) in [0, 1].
        grid: blocks of the face.
        mode: `exact`: one block is hidden in a pass; `fast`: a group of blocks that do not touch.
        amplification: factor for the absolute difference.
        chunk_size: number of passes computed at once.
    """
    inpainted = inpaint(mae, image, grid, mode=mode, chunk_size=chunk_size)
    hidden = torch.tensor(grid.patches(), device=image.device).expand(len(image), -1)
    return _drawn(image, _veiled(mae, image, grid), inpainted, hidden, mae=mae, amplification=amplification)


def draw_corner(side: int, generator: np.random.Generator) -> Corner:
    """Return a block anywhere within the outermost patches of a grid with `side` patches. Source: release's demo."""
    row, column = generator.integers(1, side - SIDE, size=2).tolist()
    return row, column


@torch.no_grad()
def validation_sheet(network: RffrMae, image: Tensor) -> NDArray[np.uint8]:
    """Return an image with one row per face (B, 3, S, S), with every block inpainted from its surroundings.

    For an MAE that cannot inpaint, the image shows only the faces.
    """
    if network.config.norm_pix:
        return stacked([beside(_as_pictures(image), gap=VALIDATION_GAP)])
    section = network.config.residual
    faces = inpaint_all_blocks(network.mae, image, network.grid, mode=section.mode, chunk_size=section.chunk_size)
    return stacked([beside(face.pictures, gap=VALIDATION_GAP) for face in faces], gap=VALIDATION_GAP)


def _drawn(
    image: Tensor, masked: Tensor, inpainted: Tensor, hidden: Tensor, *, mae: MaskedAutoencoder, amplification: float
) -> list[InpaintedFace]:
    """Return the images of faces (B, 3, S, S), and the errors of their hidden patches (B, M)."""
    difference = (inpainted.clamp(0, 1) - image).abs()
    patches = mae.to_patches(difference)
    errors = patches[torch.arange(len(image), device=image.device)[:, None], hidden].square().mean((1, 2)).sqrt() * 255
    parts = (_as_pictures(part) for part in (image, masked, inpainted, amplification * difference))
    return list(map(InpaintedFace, *parts, errors.tolist()))


def _greyed(mae: MaskedAutoencoder, image: Tensor, hidden: Tensor) -> Tensor:
    """Return faces (B, 3, S, S) with their patches (B, M) in grey."""
    patches = mae.to_patches(image).clone()
    patches[torch.arange(len(image), device=image.device)[:, None], hidden] = HIDDEN
    return mae.to_image(patches)


def _veiled(mae: MaskedAutoencoder, image: Tensor, grid: BlockGrid) -> Tensor:
    """Return faces (B, 3, S, S) with transparent grey over every block, and lines between the blocks."""
    size = mae.config.patch_size
    veil = torch.zeros_like(image[0, 0])
    for block in grid.blocks:
        owned = torch.zeros(grid.side, grid.side, device=image.device)
        owned.view(-1)[list(block.owned)] = 1
        area = owned.repeat_interleave(size, 0).repeat_interleave(size, 1)
        inner = area * area.roll(1, 0) * area.roll(1, 1)  # without its first row and column of pixels
        veil += VEIL * inner
    return image + veil * (HIDDEN - image)


def _as_pictures(image: Tensor) -> list[Picture]:
    grey_levels = (image.float().clamp(0, 1) * 255).round().byte()
    return list(grey_levels.permute(0, 2, 3, 1).cpu().numpy())
