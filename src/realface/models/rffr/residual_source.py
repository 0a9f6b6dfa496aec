"""The MAE of a network that has one, and the residual that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from realface.core.errors import ArtifactError
from realface.models.rffr.config import MaeConfig, ResidualSection, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.residual import grid_of, inpaint, require_residual_source, residual_of


@dataclass(frozen=True)
class ResidualSource:
    """What residuals are computed with.

    Attributes:
        mae: the MAE.
        section: how the residual is taken.
    """

    mae: MaskedAutoencoder
    section: ResidualSection

    @property
    def covered(self) -> tuple[int, int]:
        """First row and column of pixels where the residual is not always 0, and the one behind the last."""
        config: MaeConfig = self.mae.config
        rows = [patch // config.grid_side for patch in grid_of(config, self.section).patches()]
        return min(rows) * config.patch_size, (max(rows) + 1) * config.patch_size

    def residual(self, image: Tensor) -> Tensor:
        """The residual (B, 3, S, S) of faces (B, 3, S, S) in [0, 1], of all blocks."""
        section = self.section
        grid = grid_of(self.mae.config, section)
        with torch.no_grad():
            inpainted = inpaint(self.mae, image, grid, mode=section.mode, chunk_size=section.chunk_size)
        return residual_of(image, inpainted, amplification=section.amplification)


def residual_source(network: nn.Module, *, where: str) -> ResidualSource:
    """The MAE of an `rffr-mae` or `rffr` network, and the network's own way to take the residual.

    Args:
        network: as its artifact gives it.
        where: its name in errors.

    Raises:
        ArtifactError: a network of another method.
        ModelInputError: an MAE that cannot inpaint.
    """
    mae = getattr(network, "mae", None)
    if not isinstance(mae, MaskedAutoencoder):
        raise ArtifactError(f"{where} has no MAE", hint="give an artifact of rffr-mae or rffr")
    require_residual_source(mae.config, where=where)
    section: ResidualSection = network.config.residual
    return ResidualSource(mae, section)


def mae_of(network: nn.Module, *, where: str) -> MaskedAutoencoder:
    """The MAE of an `rffr-mae` or `rffr` network; errors are those of `residual_source`."""
    return residual_source(network, where=where).mae


def residual_key(config: RffrConfig) -> dict[str, Any]:
    """Return the settings of a detector that its residuals depend on, besides the crop and the MAE."""
    section = config.residual
    return {
        "input_size": config.input_size,
        "mode": section.mode,
        "outer_ring": section.outer_ring,
        "amplification": section.amplification,
    }
