"""The methods that realface knows: each a config, a network and a task."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from torch import nn

from realface.core.errors import MethodError
from realface.core.recipe import Section
from realface.models.baseline import network as baseline
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.task import BaselineTask
from realface.models.frozen_part import FrozenPart
from realface.models.real_only import RealOnly
from realface.models.recce import network as recce
from realface.models.recce.config import RecceConfig
from realface.models.recce.task import RecceTask
from realface.models.rffr import mae_network
from realface.models.rffr import network as rffr
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.fingerprint import fingerprint
from realface.models.rffr.residual_source import mae_of
from realface.models.rffr.sheets import validation_sheet
from realface.models.rffr.statistics import FEWEST_FACES
from realface.models.rffr.task import MaeTask, RffrTask

ENTRY_POINT_GROUP = "realface.methods"


@dataclass(frozen=True)
class Method:
    """One way to detect forgeries.

    Attributes:
        name: as in a recipe's `method.name` and an artifact's `method`.
        summary: one line.
        config_type: its constants; a field `name` holds the method's name, a field `input_size` the crop's, in pixels.
        build_network: config -> network. The network keeps it as `config` and returns an `Output` for (B, 3, H, W)
            in [0, 1].
        build_task: (network, gather=...) -> `Task`, which keeps the network as `network` and passes what its losses
            are made of through `gather`, a `realface.models.outputs.Gather`.
        load_encoder_weights: (network, file) sets the encoder to pretrained weights, such as ImageNet's, in place;
            None where a method has no such start.
        download_encoder_weights: (network) does the same with weights from timm's hub.
        take_encoder_weights: (network, weights, where=...) does the same with named tensors; the config's field
            `encoder` is timm's name of the encoder.
        encoder_parameters: (network) returns the parameters of the pretrained part, which a recipe can train at a rate
            of its own (`optim.encoder_lr`); None where there is no such part.
        trains_on_pairs: whether its task takes pairs of a real face and a pseudo-fake, see `Task`; its config then has
            a field `mask_head`.
        real_only: how it is judged and completed, where it learns from real faces alone; None where it needs fakes.
        frozen_part: where it gets the MAE inside its network from; None where there is none.
    """

    name: str
    summary: str
    config_type: type[Section]
    build_network: Callable[[Any], nn.Module]
    build_task: Callable[..., nn.Module]
    load_encoder_weights: Callable[[Any, Path], None] | None = None
    download_encoder_weights: Callable[[Any], None] | None = None
    take_encoder_weights: Callable[..., None] | None = None
    encoder_parameters: Callable[[Any], Iterable[nn.Parameter]] | None = None
    trains_on_pairs: bool = False
    real_only: RealOnly | None = None
    frozen_part: FrozenPart | None = None


METHODS: dict[str, Method] = {
    "recce": Method(
        name="recce",
        summary="RECCE: what a decoder trained on real faces cannot reconstruct was forged (CVPR 2022)",
        config_type=RecceConfig,
        build_network=recce.Recce,
        build_task=RecceTask,
        load_encoder_weights=recce.load_encoder_weights,
        download_encoder_weights=recce.download_encoder_weights,
        take_encoder_weights=recce.take_encoder_weights,
        encoder_parameters=recce.encoder_parameters,
        trains_on_pairs=True,
    ),
    "rffr-mae": Method(
        name="rffr-mae",
        summary="RFFR's generative model, a masked autoencoder: learns real faces by inpainting and sees no fakes",
        config_type=MaeConfig,
        build_network=mae_network.RffrMae,
        build_task=MaeTask,
        load_encoder_weights=mae_network.load_mae_weights,
        real_only=RealOnly(
            errors=mae_network.inpainting_errors,
            fit=mae_network.fit_statistics,
            sheet=validation_sheet,
            fewest_faces=FEWEST_FACES,
        ),
    ),
    "rffr": Method(
        name="rffr",
        summary="RFFR: two transformers see the face and what an inpainting of it changes (arXiv 2303.08439)",
        config_type=RffrConfig,
        build_network=rffr.Rffr,
        build_task=RffrTask,
        load_encoder_weights=rffr.load_encoder_weights,
        download_encoder_weights=rffr.download_encoder_weights,
        encoder_parameters=rffr.encoder_parameters,
        frozen_part=FrozenPart(method="rffr-mae", read=mae_of, fingerprint=fingerprint),
    ),
    "baseline": Method(
        name="baseline",
        summary="a plain classifier on Xception or any image network of timm, for others to be compared with",
        config_type=BaselineConfig,
        build_network=baseline.Baseline,
        build_task=BaselineTask,
        load_encoder_weights=baseline.load_encoder_weights,
        download_encoder_weights=baseline.download_encoder_weights,
        take_encoder_weights=baseline.take_encoder_weights,
        encoder_parameters=baseline.encoder_parameters,
        trains_on_pairs=True,
    ),
}


def known_methods() -> dict[str, Method]:
    """The methods above, and those that installed packages offer as entry points of the group `realface.methods`.

    Raises:
        MethodError: an entry point gives no `Method`, or one whose name is taken.
    """
    methods = dict(METHODS)
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        method = entry_point.load()
        if not isinstance(method, Method):
            raise MethodError(
                f"entry point {ENTRY_POINT_GROUP}: {entry_point.name} = {entry_point.value} must be a "
                f"realface.models.catalog.Method, got {type(method).__name__}",
                hint="update or remove the package",
            )
        if method.name in methods:
            raise MethodError(
                f"entry point {ENTRY_POINT_GROUP}: {entry_point.name} = {entry_point.value} offers the method "
                f"{method.name!r}, which exists already",
                hint="update or remove the package",
            )
        methods[method.name] = method
    return methods


def get_method(name: str) -> Method:
    """The method of that name.

    Raises:
        MethodError: there is none; the text names the likely one, and all.
    """
    methods = known_methods()
    if name not in methods:
        close = difflib.get_close_matches(name, methods, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise MethodError(f"no method is called {name!r}; {hint}known: {', '.join(sorted(methods))}")
    return methods[name]
