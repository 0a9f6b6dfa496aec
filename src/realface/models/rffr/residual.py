"""Inpaint a face block by block and compute the residual: the deviation from real faces.

The passes are independent, so the passes of all images are computed together, in chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realface.core.errors import ArtifactError, ModelInputError
from realface.models.eager import eager
from realface.models.outputs import ReconstructionOutput
from realface.models.rffr.blocks import BlockGrid
from realface.models.rffr.config import MaeConfig, ResidualSection, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder


def grid_of(config: MaeConfig, section: ResidualSection) -> BlockGrid:
    """Return the blocks that a residual consists of."""
    return BlockGrid.of(config.grid_side, outer_ring=section.outer_ring)


def require_residual_source(config: MaeConfig, *, where: str) -> None:
    """Check that an MAE can inpaint: it must not be trained with per-patch normalised targets.

    Raises:
        ModelInputError: the MAE cannot inpaint; the message starts with `where`.
    """
    if config.norm_pix:
        raise ModelInputError(
            f"{where}: this MAE was trained with per-patch normalised targets (norm_pix), so it cannot inpaint",
            hint="train one with norm_pix: false; it may start from these weights (encoder_weights)",
        )


@eager  # the number of passes depends on the drawn blocks
def inpaint(
    mae: MaskedAutoencoder,
    image: Tensor,
    grid: BlockGrid,
    *,
    mode: Literal["exact", "fast"] = "exact",
    chunk_size: int = 16,
    used: Tensor | None = None,
) -> Tensor:
    """Return faces with their blocks inpainted, each block from its surroundings in the face.

    Args:
        mae: the MAE.
        image: (B, 3, S, S) in [0, 1].
        grid: blocks of the face.
        mode: `exact`: one block is hidden in a pass; `fast`: a group of blocks that do not touch.
        chunk_size: number of passes computed at once, over all images.
        used: blocks to inpaint, (B, blocks) bool; all by default.

    Returns:
        (B, 3, S, S), not clamped; equal to the face outside the inpainted blocks.

    Raises:
        ModelInputError: wrong image size, or an MAE that cannot inpaint.
    """
    require_residual_source(mae.config, where="inpainting")
    tokens = mae.embed(image)
    std, mean = mae.pixel_range(image)
    num_patches = mae.num_patches
    patches = F.pad(mae.to_patches(image), (0, 0, 0, 1))  # one extra patch per image for unused results
    for table in _tables(grid, mode, image.device):
        wanted = _wanted(table, used, len(image)).nonzero()
        for start in range(0, len(wanted), chunk_size):
            face, group = wanted[start : start + chunk_size].unbind(1)
            hidden, kept = table.hidden[group], table.is_owned[group]
            if used is not None:
                kept = kept & used[face[:, None], table.block[group]]
            prediction = mae.predict(tokens[face], table.visible[group], hidden).to(patches.dtype)
            patches[face[:, None], hidden.masked_fill(~kept, num_patches)] = prediction * std + mean
    return mae.to_image(patches[:, :num_patches])


def residual_of(image: Tensor, inpainted: Tensor, *, amplification: float) -> Tensor:
    """Return the residual (B, 3, S, S) in [-1, 1] of faces and their inpainting. Source: release."""
    return (amplification * (inpainted - image)).clamp(-1, 1)


@dataclass(frozen=True)
class _Table:
    """P passes, with M hidden patches in each pass.

    Attributes:
        hidden: hidden patches, (P, M) int64.
        visible: visible patches, (P, N - M) int64.
        block: block of each hidden patch, (P, M) int64.
        is_owned: whether that block owns the patch, (P, M) bool.
    """

    hidden: Tensor
    visible: Tensor
    block: Tensor
    is_owned: Tensor


def _tables(grid: BlockGrid, mode: Literal["exact", "fast"], device: torch.device) -> Iterator[_Table]:
    """Yield the passes of a mode, grouped by the number of hidden patches."""
    passes = grid.passes(mode)
    for size in sorted({len(group) for group in passes}):
        groups = [group for group in passes if len(group) == size]
        hidden, block, is_owned = [], [], []
        for group in groups:
            places = [(patch, number) for number in group for patch in grid.blocks[number].hidden]
            hidden.append([patch for patch, _ in places])
            block.append([number for _, number in places])
            is_owned.append([patch in grid.blocks[number].owned for patch, number in places])
        is_visible = torch.ones(len(groups), grid.side**2, dtype=torch.bool).scatter(1, torch.tensor(hidden), False)
        visible = is_visible.nonzero()[:, 1].view(len(groups), -1)
        columns = (torch.tensor(hidden), visible, torch.tensor(block), torch.tensor(is_owned))
        yield _Table(*(column.to(device) for column in columns))


def _wanted(table: _Table, used: Tensor | None, num_images: int) -> Tensor:
    """Return whether each pass hides a used block, (B, P) bool."""
    if used is None:
        return torch.ones(num_images, len(table.hidden), dtype=torch.bool, device=table.hidden.device)
    return used[:, table.block].any(2)


@dataclass(frozen=True)
class ResidualOutput(ReconstructionOutput):
    """Output of a detector that uses residuals.

    The reconstruction is the face with every block inpainted from its surroundings; the error map is the mean absolute
    residual over the colours.

    Attributes:
        residual: (B, 3, S, S) in [-1, 1], the amplified difference of inpainting and face; 0 outside the blocks.
    """

    residual: Tensor


@dataclass(frozen=True)
class RffrOutput(ResidualOutput):
    """Output of the two branches.

    Attributes:
        logits: (B, 2), real and fake.
        feature: (B, 2 W), the feature of the RGB branch, then of the residual branch.
    """

    logits: Tensor
    feature: Tensor


@dataclass(frozen=True)
class ResidualSource:
    """An MAE and the settings of its residual.

    Attributes:
        mae: the MAE.
        section: settings of the residual.
    """

    mae: MaskedAutoencoder
    section: ResidualSection

    @property
    def covered(self) -> tuple[int, int]:
        """Range of rows and columns, in pixels, where the residual is not always 0: first, and last + 1."""
        config: MaeConfig = self.mae.config
        rows = [patch // config.grid_side for patch in grid_of(config, self.section).patches()]
        return min(rows) * config.patch_size, (max(rows) + 1) * config.patch_size

    def residual(self, image: Tensor) -> Tensor:
        """Return the residual (B, 3, S, S) of faces (B, 3, S, S) in [0, 1], of all blocks."""
        section = self.section
        grid = grid_of(self.mae.config, section)
        with torch.no_grad():
            inpainted = inpaint(self.mae, image, grid, mode=section.mode, chunk_size=section.chunk_size)
        return residual_of(image, inpainted, amplification=section.amplification)


def residual_source(network: nn.Module, *, where: str) -> ResidualSource:
    """Return the MAE of an `rffr-mae` or `rffr` network, and the network's settings of the residual.

    Args:
        network: network of an artifact.
        where: name of the network in errors.

    Raises:
        ArtifactError: a network of another method.
        ModelInputError: an MAE that cannot inpaint.
    """
    mae = getattr(network, "mae", None)
    if not isinstance(mae, MaskedAutoencoder):
        raise ArtifactError(f"{where} has no MAE", hint="give an artifact of rffr-mae or rffr")
    require_residual_source(mae.config, where=where)
    config: RffrConfig | MaeConfig = network.config  # type: ignore[assignment]
    return ResidualSource(mae, config.residual)


def mae_of(network: nn.Module, *, where: str) -> MaskedAutoencoder:
    """Return the MAE of an `rffr-mae` or `rffr` network; raise the same errors as `residual_source`."""
    return residual_source(network, where=where).mae


def residual_key(config: RffrConfig) -> dict[str, Any]:
    """Return the settings of a detector that its residuals depend on, apart from the crop and the MAE."""
    section = config.residual
    return {
        "input_size": config.input_size,
        "mode": section.mode,
        "outer_ring": section.outer_ring,
        "amplification": section.amplification,
    }
