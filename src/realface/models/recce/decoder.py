"""The parts of RECCE's decoder: three doublings with a block between them, and the last step to RGB.

They are functions and no module, because the authors' checkpoint has the decoder's six steps at its top level.

Source: release, with nearest-neighbour doubling.
"""

from __future__ import annotations

from timm.models.xception import Block, SeparableConv2d
from torch import nn


def doubling(in_width: int, out_width: int) -> nn.Sequential:
    """Return layers that double the size of a map: (B, in_width, h, w) -> (B, out_width, 2h, 2w)."""
    return nn.Sequential(
        nn.UpsamplingNearest2d(scale_factor=2),
        SeparableConv2d(in_width, out_width, 3, 1, 1),
        nn.BatchNorm2d(out_width),
        nn.ReLU(inplace=True),
    )


def refinement(width: int) -> Block:
    """Return an Xception block of three separable convolutions: (B, width, h, w) -> (B, width, h, w)."""
    return Block(width, width, 3)


def to_rgb(width: int) -> nn.Sequential:
    """Return layers that turn a map into an image: (B, width, h, w) -> (B, 3, h, w) in [-1, 1]."""
    return nn.Sequential(nn.Conv2d(width, 3, 1, bias=False), nn.Tanh())
