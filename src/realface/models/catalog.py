"""The methods of realface; each method has a config, a network and a task."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points

from realface.core.errors import MethodError
from realface.models.baseline import network as baseline
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.task import BaselineTask
from realface.models.method import FrozenPart, InpaintingMetric, Method, PrecomputedInput, RealOnly
from realface.models.preparation import prepare_convolutions
from realface.models.recce import network as recce
from realface.models.recce.config import RecceConfig
from realface.models.recce.task import RecceTask
from realface.models.rffr import mae_network
from realface.models.rffr import network as rffr
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae import fingerprint, prepare_transformers
from realface.models.rffr.residual import mae_of, residual_key
from realface.models.rffr.sheets import validation_sheet
from realface.models.rffr.statistics import FEWEST_FACES
from realface.models.rffr.task import MaeTask, RffrTask

ENTRY_POINT_GROUP = "realface.methods"


METHODS: dict[str, Method] = {
    "recce": Method(
        name="recce",
        summary="RECCE: the reconstruction error of a decoder trained on real faces guides the classifier (CVPR 2022)",
        config_type=RecceConfig,
        build_network=recce.Recce,
        build_task=RecceTask,
        load_encoder_weights=recce.load_encoder_weights,
        download_encoder_weights=recce.download_encoder_weights,
        take_encoder_weights=recce.take_encoder_weights,
        encoder_parameters=recce.encoder_parameters,
        trains_on_pairs=True,
        prepare=prepare_convolutions,
    ),
    "rffr-mae": Method(
        name="rffr-mae",
        summary="the masked autoencoder of RFFR: learns to inpaint real faces, without any fakes",
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
        prepare=prepare_transformers,
        inpainting=InpaintingMetric(errors=mae_network.block_errors, grid=mae_network.blocks_of),
    ),
    "rffr": Method(
        name="rffr",
        summary="RFFR: two transformers classify the face and the residual of its inpainting (arXiv 2303.08439)",
        config_type=RffrConfig,
        build_network=rffr.Rffr,
        build_task=RffrTask,
        load_encoder_weights=rffr.load_encoder_weights,
        download_encoder_weights=rffr.download_encoder_weights,
        encoder_parameters=rffr.encoder_parameters,
        frozen_part=FrozenPart(method="rffr-mae", read=mae_of, fingerprint=fingerprint),
        prepare=prepare_transformers,
        precomputed=(PrecomputedInput(name="residual", key=residual_key, compute=rffr.compute_residual),),
    ),
    "baseline": Method(
        name="baseline",
        summary="a plain classifier on Xception or any image network of timm, for comparison",
        config_type=BaselineConfig,
        build_network=baseline.Baseline,
        build_task=BaselineTask,
        load_encoder_weights=baseline.load_encoder_weights,
        download_encoder_weights=baseline.download_encoder_weights,
        take_encoder_weights=baseline.take_encoder_weights,
        encoder_parameters=baseline.encoder_parameters,
        trains_on_pairs=True,
        prepare=baseline.prepare,
    ),
}


def known_methods() -> dict[str, Method]:
    """Return the methods above and the methods of installed packages (entry points in the group `realface.methods`).

    Raises:
        MethodError: an entry point is not a `Method`, or its name already exists.
    """
    methods = dict(METHODS)
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        method = entry_point.load()
        if not isinstance(method, Method):
            raise MethodError(
                f"entry point {ENTRY_POINT_GROUP}: {entry_point.name} = {entry_point.value} must be a "
                f"realface.models.method.Method, got {type(method).__name__}",
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
    """Return a method by name.

    Raises:
        MethodError: unknown name; the message suggests the closest name and lists all names.

    Example:
        >>> get_method("recce").name
        'recce'
    """
    methods = known_methods()
    if name not in methods:
        close = difflib.get_close_matches(name, methods, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise MethodError(f"no method is called {name!r}; {hint}known: {', '.join(sorted(methods))}")
    return methods[name]
