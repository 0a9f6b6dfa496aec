"""Read RFFR's released checkpoints, and public checkpoints of masked autoencoders, into our networks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError
from realface.core.provenance import collect_provenance
from realface.core.recipe import check_recipe
from realface.models.checkpoints import LICENCE, Checkpoint
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae import SIZES, MaskedAutoencoder
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr
from realface.models.rffr.residual import require_residual_source
from realface.models.weights import load_weights

Pixels = Literal["plain", "imagenet"]
PIXELS: Mapping[Pixels, dict[str, Any]] = {
    "plain": {},
    "imagenet": {"pixel_mean": IMAGENET_DEFAULT_MEAN, "pixel_std": IMAGENET_DEFAULT_STD},
}
"""Pixels that an autoencoder was trained on: in [0, 1] (source: RFFR's release), or normalised with ImageNet's mean and
standard deviation (source: MAE's release)."""
INPUT_SIZE = 224
"""Input size, in pixels, for a file without position tables, which give the size. Source: RFFR, MAE."""
TABLES = ("pos_embed", "decoder_pos_embed")
BRANCHES: Mapping[str, tuple[int, int]] = {
    "vit_tiny_patch16_224": (192, 12),
    "vit_small_patch16_224": (384, 12),
    "vit_base_patch16_224": (768, 12),
    "vit_large_patch16_224": (1024, 24),
}
"""Width and blocks of the transformers that a detector's branches can be; the release's are base."""
NUMBERS = ("epoch", "aucs", "best_aucs")
"""Keys of the training results in the release's checkpoints."""
UNUSED = ("backbone_1.head.", "backbone_2.head.")
"""Prefixes of ImageNet's classifiers, which the release's checkpoints contain and do not use."""
OWN_SCORE = "statistics."
"""Prefix of the statistics in our artifacts; they are fitted again."""
WHOLE = "an RFFR MAE, or a masked autoencoder's pre-training with encoder and decoder"


@dataclass(frozen=True)
class _Transformer:
    """Structure of a vision transformer, derived from the shapes of its weights.

    Attributes:
        width: width of a token.
        depth: number of blocks.
        patch_size: height and width of a patch, in pixels.
        grid_side: number of patches per side; None without a position table.
    """

    width: int
    depth: int
    patch_size: int
    grid_side: int | None


def read_rffr(
    mae: Path,
    *,
    detector: Path | None = None,
    input_size: int | None = None,
    pixels: Pixels = "plain",
    norm_pix: bool = False,
    crop: CropSpec | None = None,
) -> tuple[RffrMae | Rffr, ArtifactCard]:
    """Return the network of released weights, and the card of its artifact.

    Args:
        mae: masked autoencoder with its decoder: a checkpoint of RFFR's or MAE's release, or a state dict, bare or
            inside mappings; written by torch, or `.safetensors`. Names can have a common prefix, such as `module.`.
        detector: the release's checkpoint of the two branches, in the same formats; by default, only the MAE is read.
        input_size: height and width of the faces in training, in pixels; the file's by default.
        pixels: pixels that the autoencoder was trained on, a key of `PIXELS`.
        norm_pix: whether the autoencoder was trained with per-patch normalised targets.
        crop: crop settings of the faces in training; unknown by default.

    Returns:
        An `Rffr` with a detector, otherwise an `RffrMae`, which has no score until it is fitted on real faces.

    Raises:
        MissingInputError: no such file.
        RecipeError: the patches do not fit the input size.
        ModelInputError: `norm_pix` with a detector, because its residuals require pixels.
        ArtifactError: a file cannot be read without executing it, does not contain these weights as plain, finite
            numbers (the message gives names, shapes and sizes), or the MAE and the detector do not fit together.
    """
    checkpoint = _read_mae(mae)
    settings = {**_size_of(checkpoint, input_size), **PIXELS[pixels], "norm_pix": norm_pix}
    config = check_recipe(MaeConfig, settings, where=f"importing {mae}")
    if detector is None:
        with torch.random.fork_rng(devices=[]):  # the initial values are thrown away
            network = RffrMae(config)
        _load_mae(network.mae, checkpoint)
        return network.eval(), _mae_card(checkpoint, config, crop or CropSpec.unknown())
    require_residual_source(config, where=f"{detector} reads residuals, but {mae}")
    return _with_detector(checkpoint, config, detector, crop or CropSpec.unknown())


def _with_detector(mae: Checkpoint, mae_config: MaeConfig, detector: Path, crop: CropSpec) -> tuple[Rffr, ArtifactCard]:
    branches = _read_detector(detector)
    settings = {"branch": _branch_of(branches, mae, mae_config), "released_indexing": True}
    config = check_recipe(RffrConfig, {"mae": mae_config.model_dump(), **settings}, where=f"importing {detector}")
    with torch.random.fork_rng(devices=[]):
        network = Rffr(config)
    _load_mae(network.mae, mae)
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith("mae.")}
    branches.require_numbers()
    load_weights(network, own | branches.tensors, where=branches.where)
    card = _card(
        config,
        crop,
        threshold_rule="RFFR's two classes: fake from 0.5 up",
        trained_on=[mae.origin("MAE"), branches.origin("detector")],
        metrics=branches.said(NUMBERS),
    )
    return network.eval(), card


def _mae_card(checkpoint: Checkpoint, config: MaeConfig, crop: CropSpec) -> ArtifactCard:
    return _card(
        config,
        crop,
        threshold_rule="none: it has no score, because it was not fitted on real faces; it inpaints only",
        trained_on=[checkpoint.origin("MAE")],
        metrics=checkpoint.said(NUMBERS),
    )


def _card(config: MaeConfig | RffrConfig, crop: CropSpec, **parts: Any) -> ArtifactCard:
    return ArtifactCard(
        method=config.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=crop,
        threshold=0.5,
        licence=LICENCE,
        purpose="research",
        provenance=collect_provenance(),
        **parts,
    )


def _read_mae(file: Path) -> Checkpoint:
    """Return a masked autoencoder's weights, without a prefix in their names."""
    with torch.device("meta"):  # for the names only, which are enough to find the prefix of larger networks
        known = MaskedAutoencoder(MaeConfig(size="tiny")).state_dict()
    checkpoint = Checkpoint.read(file)
    if any("backbone_2." in name for name in checkpoint.tensors):
        raise ArtifactError(
            f"{file} holds RFFR's detector, not its MAE",
            hint="give it as --detector, and the masked autoencoder that it was trained with as --mae",
        )
    checkpoint = checkpoint.without(OWN_SCORE).without_prefix(known)
    if "patch_embed.proj.weight" not in checkpoint.tensors:
        raise ArtifactError(
            f"{file} holds no masked autoencoder: {_names(checkpoint)} and no patch_embed.proj.weight",
            hint=f"give {WHOLE}",
        )
    if not any(name.startswith("decoder_") for name in checkpoint.tensors):
        raise ArtifactError(
            f"{file} holds an encoder alone: none of its {len(checkpoint.tensors)} names begins with decoder_, and "
            "nothing can be inpainted without a decoder",
            hint=f"give the checkpoint of {WHOLE}",
        )
    return checkpoint


def _read_detector(file: Path) -> Checkpoint:
    """Return the weights of the two branches, without a prefix in their names."""
    with torch.device("meta"):
        tiny = Rffr(RffrConfig(mae=MaeConfig(size="tiny"), branch="vit_tiny_patch16_224"))
    known = {name for name in tiny.state_dict() if not name.startswith("mae.")}
    checkpoint = Checkpoint.read(file).without_prefix(known)
    if "backbone_1.patch_embed.proj.weight" not in checkpoint.tensors:
        raise ArtifactError(
            f"{file} holds no detector of RFFR: {_names(checkpoint)} and no backbone_1.patch_embed.proj.weight",
            hint="give its checkpoint with backbone_1, backbone_2 and classifier",
        )
    return checkpoint.without(*UNUSED)


def _load_mae(mae: MaskedAutoencoder, checkpoint: Checkpoint) -> None:
    """Set the autoencoder's weights; position tables missing in the file are ours, which equal the release's."""
    checkpoint.require_numbers()
    tables = {name: tensor for name, tensor in mae.state_dict().items() if name in TABLES}
    load_weights(mae, tables | checkpoint.tensors, where=checkpoint.where)


def _size_of(checkpoint: Checkpoint, input_size: int | None) -> dict[str, Any]:
    """Return the settings of the MAE's config that follow from the shapes."""
    encoder = _transformer(checkpoint)
    found = (encoder.width, encoder.depth, *_decoder_of(checkpoint))
    sizes = {name: (s.width, s.depth, s.decoder_width, s.decoder_depth) for name, s in SIZES.items()}
    name = next((name for name, size in sizes.items() if size == found), None)
    if name is None:
        known = "; ".join(f"{name}: {_in_words(*size)}" for name, size in sizes.items())
        raise ArtifactError(f"{checkpoint.where}: no size of the MAE has {_in_words(*found)}; known are {known}")
    own = INPUT_SIZE if encoder.grid_side is None else encoder.grid_side * encoder.patch_size
    if input_size is not None and encoder.grid_side is not None and input_size != own:
        raise ArtifactError(
            f"{checkpoint.where} is for faces of {own} pixels, as its table of places says, got --size {input_size}",
            hint="leave --size out",
        )
    return {"size": name, "input_size": input_size or own, "patch_size": encoder.patch_size}


def _branch_of(branches: Checkpoint, mae: Checkpoint, config: MaeConfig) -> str:
    """Return timm's name of the branches' transformer."""
    branch = _transformer(branches, within="backbone_1.")
    found = (branch.patch_size, branch.grid_side or config.grid_side)
    if found != (config.patch_size, config.grid_side):
        raise ArtifactError(
            f"{branches.where} sees {found[1]} x {found[1]} patches of {found[0]} pixels, but {mae.where} "
            f"{config.grid_side} x {config.grid_side} of {config.patch_size}",
            hint="give the MAE that it was trained with",
        )
    name = next((name for name, size in BRANCHES.items() if size == (branch.width, branch.depth)), None)
    if name is None:
        known = "; ".join(f"{width} wide with {depth} blocks" for width, depth in BRANCHES.values())
        raise ArtifactError(
            f"{branches.where}: backbone_1 is {branch.width} wide with {branch.depth} blocks; known are {known}"
        )
    return name


def _transformer(checkpoint: Checkpoint, *, within: str = "") -> _Transformer:
    """Return a transformer's structure from the names and shapes after a prefix."""
    projection = checkpoint.tensors[f"{within}patch_embed.proj.weight"]
    if projection.ndim != 4 or projection.shape[2] != projection.shape[3]:
        raise ArtifactError(
            f"{checkpoint.where}: {within}patch_embed.proj.weight must have shape (width, 3, patch, patch), got "
            f"{tuple(projection.shape)}"
        )
    width, _, patch_size, _ = projection.shape
    table = checkpoint.tensors.get(f"{within}pos_embed")
    grid_side = None if table is None else _grid_side(table, where=f"{checkpoint.where}: {within}pos_embed")
    return _Transformer(width, _depth(checkpoint, f"{within}blocks."), patch_size, grid_side)


def _grid_side(table: Tensor, *, where: str) -> int:
    num_patches = table.shape[1] - 1 if table.ndim == 3 else 0
    side = math.isqrt(max(num_patches, 0))
    if num_patches < 1 or side**2 != num_patches:
        raise ArtifactError(
            f"{where} must have shape (1, 1 + patches, width) of a square of patches, got {tuple(table.shape)}"
        )
    return side


def _decoder_of(checkpoint: Checkpoint) -> tuple[int, int]:
    """Width and depth."""
    embedding = checkpoint.tensors.get("decoder_embed.weight")
    width = 0 if embedding is None or embedding.ndim != 2 else len(embedding)
    return width, _depth(checkpoint, "decoder_blocks.")


def _depth(checkpoint: Checkpoint, start: str) -> int:
    """Return the number of blocks: the count of distinct numbers after `start` in the names."""
    return len({name.removeprefix(start).partition(".")[0] for name in checkpoint.tensors if name.startswith(start)})


def _in_words(width: int, depth: int, decoder_width: int, decoder_depth: int) -> str:
    return f"{depth} blocks of width {width} and in the decoder {decoder_depth} of {decoder_width}"


def _names(checkpoint: Checkpoint) -> str:
    """Return some names from a file with other contents, for an error."""
    first, *others = checkpoint.tensors
    return f"it has {first}" + (f" and {len(others)} more names" if others else "")
