"""How large the masked autoencoder is in each size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MLP_RATIO = 4
"""Width of a block's hidden layer in widths of the block. Source: MAE."""


@dataclass(frozen=True)
class MaeSize:
    """Widths, depths and attention heads of the encoder and the decoder."""

    width: int
    depth: int
    num_heads: int
    decoder_width: int
    decoder_depth: int
    decoder_num_heads: int


SIZES: Mapping[str, MaeSize] = MappingProxyType(
    {
        "tiny": MaeSize(192, 6, 3, 128, 2, 4),  # as wide as ViT-Ti, half as deep: trains on two CPU cores
        "small": MaeSize(384, 12, 6, 256, 8, 8),  # ViT-S, likewise
        "base": MaeSize(768, 12, 12, 512, 8, 16),  # source: MAE, and RFFR
        "large": MaeSize(1024, 24, 16, 512, 8, 16),  # source: MAE
    }
)
