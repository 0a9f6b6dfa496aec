"""Weights and images that the reference outputs were made with: pure functions of a name, a shape and a seed."""

import math
import zlib

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F


@pytest.fixture(scope="session")
def reference_weights():
    """(shapes, seed) -> a state dict in float64, every value of which float32 can hold."""
    return lambda shapes, seed: {name: _parameter(name, tuple(shape), seed) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def reference_image():
    """(batch, size, seed) -> images (batch, 3, size, size) in [0, 1], float64."""
    return _image


def _parameter(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    is_norm_scale = name.endswith("weight") and len(shape) == 1
    if is_norm_scale or name.endswith("running_var"):
        value = 1 + 0.1 * noise.abs()
    elif len(shape) < 2 or name.endswith(("token", "pos_embed")):
        value = 0.02 * noise
    else:
        value = noise / math.sqrt(math.prod(shape[1:]))
    return value.float().double()


def _image(batch: int, size: int, seed: int) -> Tensor:
    """A coarse random grid, enlarged, and fine noise."""
    generator = torch.Generator().manual_seed(1000 + seed)
    grid = torch.rand((batch, 3, 9, 9), generator=generator, dtype=torch.float64)
    smooth = F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=True)
    noise = torch.randn((batch, 3, size, size), generator=generator, dtype=torch.float64)
    return (smooth + 0.05 * noise).clamp(0, 1).float().double()
