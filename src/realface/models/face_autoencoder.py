"""A small convolutional autoencoder of aligned faces; its output is as soft as early face swaps.

Source: the form of classic face-swap autoencoders (encoder of strided convolutions, a narrow middle, a decoder of
convolutions and pixel shuffles; loss DSSIM + L1 as in DeepFaceLab, arXiv 2005.05535). The widths are ours: the network
trains within minutes on one CPU core.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 128
"""Height and width of the images, in pixels."""
Bottleneck = Literal["dense", "spatial"]
"""Middle of the network: `dense`, one vector per face, drops most individual features; `spatial`, one vector for each
of 8 x 8 positions, keeps the features and drops fine detail."""

_ENCODER, _DECODER = (32, 64, 128), (128, 64, 48, 20)
_GRID = SIDE // 16
_DENSE, _SPATIAL = 256, 16  # channels of the bottlenecks
_SLOPE = 0.1
_WINDOW = 8  # pixels: side of SSIM's window
_C1, _C2 = 0.01**2, 0.03**2


class FaceAutoencoder(nn.Module):
    """Encodes aligned faces into a narrow bottleneck and renders them from it.

    Args:
        bottleneck: `dense` or `spatial`, see `Bottleneck`.
    """

    start: Tensor

    def __init__(self, bottleneck: Bottleneck) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        inner = _ENCODER[-1]
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2), *[_down(a, b) for a, b in zip((12, *_ENCODER[:-1]), _ENCODER, strict=True)]
        )
        if bottleneck == "dense":
            small = inner * (_GRID // 2) ** 2
            self.middle = nn.Sequential(
                _down(inner, inner),
                nn.Flatten(),
                nn.Linear(small, _DENSE),
                nn.Linear(_DENSE, small),
                nn.Unflatten(1, (inner, _GRID // 2, _GRID // 2)),
                _up(inner, inner),
            )
        else:
            self.middle = nn.Sequential(
                nn.Conv2d(inner, _SPATIAL, 1), nn.Conv2d(_SPATIAL, inner, 3, padding=1), nn.LeakyReLU(_SLOPE)
            )
        self.decoder = nn.Sequential(
            *[_up(a, b) for a, b in pairwise(_DECODER)],
            nn.Conv2d(_DECODER[-1], 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        self.register_buffer("start", torch.zeros(3, SIDE, SIDE))

    def start_from(self, mean: Tensor) -> None:
        """Set the initial output for every input to the mean face, (3, 128, 128) in [0, 1]."""
        self.start.copy_(torch.logit(mean, eps=1e-3))

    def forward(self, image: Tensor) -> Tensor:
        """Render faces.

        Args:
            image: aligned faces, (B, 3, 128, 128) in [0, 1].

        Returns:
            (B, 3, 128, 128) in [0, 1].
        """
        return torch.sigmoid(self.start + self.decoder(self.middle(self.encoder(image - 0.5))))


def rendering_loss(rendered: Tensor, image: Tensor) -> Tensor:
    """Return the mean absolute error plus half of 1 - SSIM.

    Args:
        rendered: (B, 3, H, W) in [0, 1].
        image: target, (B, 3, H, W) in [0, 1].

    Returns:
        Scalar >= 0.
    """
    return (rendered - image).abs().mean() + (1 - structural_similarity(rendered, image)) / 2


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean SSIM of the brightness of two batches (B, 3, H, W) in [0, 1].

    Source: Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", with square
    windows of 8 pixels at every second position instead of a Gaussian window at every position.
    """
    x, y = (image.mean(1, keepdim=True) for image in (first, second))
    mean_x, mean_y, xx, yy, xy = _local(torch.cat([x, y, x * x, y * y, x * y], dim=1)).unbind(1)
    likeness = (2 * mean_x * mean_y + _C1) * (2 * (xy - mean_x * mean_y) + _C2)
    return (likeness / ((mean_x**2 + mean_y**2 + _C1) * (xx - mean_x**2 + yy - mean_y**2 + _C2))).mean()


def _local(image: Tensor) -> Tensor:
    """Return means over windows of 8 pixels, computed from means over windows of 2 pixels."""
    return F.avg_pool2d(F.avg_pool2d(image.contiguous(), 2), _WINDOW // 2, stride=1)


def _down(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(_SLOPE))


def _up(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.PixelShuffle(2))
