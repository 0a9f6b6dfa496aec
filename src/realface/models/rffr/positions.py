"""The fixed tables by which a transformer knows where a patch is."""

from __future__ import annotations

import torch
from torch import Tensor

PERIOD = 10_000.0
"""Longest wavelength, in patches, over 2 pi."""


def position_table(width: int, grid_side: int) -> Tensor:
    """Sines and cosines of column and row, for the class token and each patch.

    Args:
        width: D, a multiple of 4.
        grid_side: patches per side.

    Returns:
        (1, 1 + patches, D) float32: the class token's row is 0; of a patch the first half is its column's, the second
        its row's; each half sines, then cosines, of place x 10,000^(-i / (D/4)).

    Source: MAE's release, whose weights depend on the order.
    """
    frequencies = PERIOD ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(grid_side, dtype=torch.float64)[:, None] * frequencies
    places = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, D/2)
    columns = places[None].expand(grid_side, -1, -1)
    rows = places[:, None].expand(-1, grid_side, -1)
    table = torch.cat([columns, rows], dim=2).flatten(0, 1)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), table])[None].float()
