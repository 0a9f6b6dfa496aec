"""RECCE's reconstruction-guided attention: direct the classifier to reconstruction errors."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class GuidedAttention(nn.Module):
    """Weighs a feature map by the reconstruction error; parameters have the names of the authors' checkpoint.

    Args:
        width: number of channels E of the feature map.
        dropout: probability of the dropout on the unweighted part of the map.

    Source: paper, 3.4.
    """

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.gated = nn.Sequential(
            nn.Conv2d(3, 3, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(3, 1, 1, bias=False),
            nn.Sigmoid(),
        )
        self.h = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(dropout)

    def forward(self, image: Tensor, reconstruction: Tensor, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted feature map and the attention.

        Args:
            image: (B, 3, H, W), in [-1, 1].
            reconstruction: (B, 3, H, W), in [-1, 1].
            feature: feature map, (B, E, h, w).

        Returns:
            The weighted map (B, E, h, w), and the attention (B, 1, h, w) in (0, 1).
        """
        error = F.interpolate(
            (image - reconstruction).abs(), size=feature.shape[-2:], mode="bilinear", align_corners=True
        )
        attention = self.gated(error)
        return attention * self.h(feature) + self.dropout(feature), attention
