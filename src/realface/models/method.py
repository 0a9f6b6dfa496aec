"""The interface between a method and the rest of the package."""

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
        input_size: expected height and width of the images, in pixels; other sizes work too.
        dtype: data type of the weights of convolutions or transformers.
        pack: whether to store the weights in the memory format of this CPU's kernels.
    """

    input_size: int
    dtype: torch.dtype
    pack: bool


@dataclass(frozen=True)
class RealOnly:
    """Validation and completion of a method that never sees a fake in training.

    The functions get the network in eval mode and without gradients, and must not use torch's global generators.

    Attributes:
        errors: (network, image (B, 3, H, W) in [0, 1]) -> (B,) >= 0, the inpainting error of each face. This is the
            validation metric: the step with the lowest mean is the best.
        fit: (network, batches of real faces) fits the statistics for the network's score in place, and returns
            measurements for the artifact's metrics. Returns an empty mapping if the network's config gives no score.
        sheet: (network, image (B, 3, H, W) in [0, 1]) -> (height, width, 3), an image with the network's results for
            some faces.
        fewest_faces: number of real validation faces that `fit` requires; a run with fewer faces fails at the start.
    """

    errors: Callable[[Any, Tensor], Tensor]
    fit: Callable[[Any, Iterable[Tensor]], dict[str, Any]]
    sheet: Callable[[Any, Tensor], NDArray[np.uint8]]
    fewest_faces: int = 1


@dataclass(frozen=True)
class FrozenPart:
    """Source of the frozen part of a method's network: a masked autoencoder (MAE).

    The method's config has the MAE's config as `mae`. Its network has the MAE as `mae` and copies the weights of a
    trained MAE with `take_mae(mae)`.

    Attributes:
        method: catalog name of the method whose artifacts contain such an MAE.
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
        key: (config) -> the settings that the values depend on, apart from the crop and the frozen part.
        compute: (network of an artifact, image (B, 3, S, S) in [0, 1]) -> the values, one per image.
    """

    name: str
    key: Callable[[Any], dict[str, Any]]
    compute: Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True)
class InpaintingMetric:
    """Error of an inpainting network on the hidden blocks of a face; `evaluate` reports it for real faces.

    Attributes:
        errors: (network, its output, image (B, 3, S, S) in [0, 1]) -> (B,) mean squared error over the inpainted
            blocks, of images in [0, 1].
        grid: (network) -> its `BlockGrid`, the hidden blocks.
    """

    errors: Callable[[Any, Any, Tensor], Tensor]
    grid: Callable[[Any], Any]


@dataclass(frozen=True)
class Method:
    """One way to detect forgeries.

    Attributes:
        name: name of the method in a recipe's `method.name` and an artifact's `method`.
        summary: one line.
        config_type: class of the config; a `PairConfig` if the method trains on pairs.
        build_network: (config) -> network. The network keeps the config as `config` and returns an `Output` for
            (B, 3, H, W) in [0, 1].
        build_task: (network, gather=...) -> `Task`, which keeps the network as `network` and passes the inputs of its
            losses through `gather`, a `realface.models.outputs.Gather`.
        load_encoder_weights: (network, file) sets the encoder to pretrained weights, such as ImageNet's, in place;
            None if the method does not support this.
        download_encoder_weights: (network) does the same with weights from timm's hub.
        take_encoder_weights: (network, weights, where=...) does the same with named tensors; the config's field
            `encoder` is timm's name of the encoder.
        encoder_parameters: (network) returns the parameters of the pretrained part, which a recipe can train with a
            separate learning rate (`optim.encoder_lr`); None without such a part.
        trains_on_pairs: whether the task accepts pairs of a real face and a pseudo-fake, see `Task`.
        real_only: validation and completion of a method that learns from real faces only; None if it requires fakes.
        frozen_part: source of the frozen part of the network; None without a frozen part.
        prepare: (network in eval mode, settings) prepares the network for inference, in place: the same output, except
            for rounding, in less time. None keeps the network unchanged.
        inpainting: extra metric of a network that inpaints; None for other networks.
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
