"""What a method is to the rest of the package: the code that everything else asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realface.models.config import MethodConfig


@dataclass(frozen=True)
class InferenceSettings:
    """Settings with which a network is prepared for inference.

    Attributes:
        input_size: height and width of the images that it will be given, in pixels; other sizes work too.
        dtype: of the weights of convolutions or of transformers.
        pack: whether to lay out the weights for the kernels of this CPU.
    """

    input_size: int
    dtype: torch.dtype
    pack: bool


@dataclass(frozen=True)
class RealOnly:
    """How a method that never sees a fake in training is validated and completed.

    The functions get the network in eval mode and without gradients, and draw nothing from torch's global generators.

    Attributes:
        errors: (network, image (B, 3, H, W) in [0, 1]) -> (B,) >= 0, the inpainting error of each face. This is the
            validation metric: the step with the lowest mean is the best.
        fit: (network, batches of real faces) sets in place what the network's score needs, and returns what it
            measured, for the artifact's metrics. Returns nothing if the network, as it is configured, has no score.
        sheet: (network, image (B, 3, H, W) in [0, 1]) -> (height, width, 3), an image that shows what the network makes
            of some faces.
        fewest_faces: number of real validation faces that `fit` needs; a run with fewer is refused before it begins.
    """

    errors: Callable[[Any, Tensor], Tensor]
    fit: Callable[[Any, Iterable[Tensor]], dict[str, Any]]
    sheet: Callable[[Any, Tensor], NDArray[np.uint8]]
    fewest_faces: int = 1


@dataclass(frozen=True)
class FrozenPart:
    """Where a method gets the frozen part of its network from: a masked autoencoder (MAE).

    The method's config has the MAE's config as `mae`. Its network has the MAE as `mae` and copies the weights of a
    trained one with `take_mae(mae)`.

    Attributes:
        method: name in the catalog of the method whose artifacts contain such an MAE.
        read: (network of such an artifact, where=its name in errors) -> the MAE; raises ModelInputError if it cannot
            be used.
        fingerprint: (MAE) -> hash of its weights.
    """

    method: str
    read: Callable[..., nn.Module]
    fingerprint: Callable[[Any], str]


@dataclass(frozen=True)
class PrecomputedInput:
    """An input of a method's task and network that can be computed once per crop and stored.

    Attributes:
        name: keyword argument of the task and of the network's `forward`, such as `residual`.
        key: (config) -> the settings that the values depend on, besides the crop and the frozen part.
        compute: (network of an artifact, image (B, 3, S, S) in [0, 1]) -> the values, one per image.
    """

    name: str
    key: Callable[[Any], dict[str, Any]]
    compute: Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True)
class InpaintingMetric:
    """How well a network that inpaints fills the hidden blocks of a face; `evaluate` reports it for real faces.

    Attributes:
        errors: (network, its output, image (B, 3, S, S) in [0, 1]) -> (B,) mean squared error over the inpainted
            blocks, of images in [0, 1].
        grid: (network) -> its `BlockGrid`, the blocks that are hidden.
    """

    errors: Callable[[Any, Any, Tensor], Tensor]
    grid: Callable[[Any], Any]


@dataclass(frozen=True)
class Method:
    """One way to detect forgeries.

    Attributes:
        name: as in a recipe's `method.name` and an artifact's `method`.
        summary: one line.
        config_type: its constants; a `PairConfig` if it trains on pairs.
        build_network: (config) -> network. The network keeps it as `config` and returns an `Output` for (B, 3, H, W)
            in [0, 1].
        build_task: (network, gather=...) -> `Task`, which keeps the network as `network` and passes what its losses
            are made of through `gather`, a `realface.models.outputs.Gather`.
        load_encoder_weights: (network, file) sets the encoder to pretrained weights, such as ImageNet's, in place;
            None if a method has no such start.
        download_encoder_weights: (network) does the same with weights from timm's hub.
        take_encoder_weights: (network, weights, where=...) does the same with named tensors; the config's field
            `encoder` is timm's name of the encoder.
        encoder_parameters: (network) returns the parameters of the pretrained part, which a recipe can train at a rate
            of its own (`optim.encoder_lr`); None if there is no such part.
        trains_on_pairs: whether its task takes pairs of a real face and a pseudo-fake, see `Task`.
        real_only: validation and completion of a method that learns from real faces only; None if it needs fakes.
        frozen_part: where it gets the frozen part of its network from; None if there is none.
        prepare: (network in eval mode, settings) prepares the network for inference, in place: the same output, except
            for rounding, in less time. None leaves it as it is.
        inpainting: extra metric of a network that inpaints; None for others.
        precomputed: inputs that can be computed before training.

    Example:
        >>> from realface.models.catalog import get_method
        >>> get_method("recce").config_type.__name__
        'RecceConfig'
    """

    name: str
    summary: str
    config_type: type[MethodConfig]
    build_network: Callable[[Any], nn.Module]
    build_task: Callable[..., nn.Module]
    load_encoder_weights: Callable[[Any, Path], None] | None = None
    download_encoder_weights: Callable[[Any], None] | None = None
    take_encoder_weights: Callable[..., None] | None = None
    encoder_parameters: Callable[[Any], Iterable[nn.Parameter]] | None = None
    trains_on_pairs: bool = False
    real_only: RealOnly | None = None
    frozen_part: FrozenPart | None = None
    prepare: Callable[[Any, InferenceSettings], None] | None = None
    inpainting: InpaintingMetric | None = None
    precomputed: tuple[PrecomputedInput, ...] = ()
