"""RFFR's MAE as a detector of its own: what it cannot inpaint surprises it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realface.core.errors import ModelInputError, TrainingError
from realface.models.checkpoints import Checkpoint
from realface.models.rffr.blocks import BlockGrid, draw_masks
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae import MaskedAutoencoder, inpainting_losses, normalised_patches
from realface.models.rffr.residual import ResidualOutput, grid_of, inpaint, require_residual_source, residual_of
from realface.models.rffr.statistics import FEWEST_FACES, RealStatistics
from realface.models.weights import load_weights

BANDS = ("fine", "coarse")
"""What a block's difference is told apart into: a forgery may change its grain and not its shape, or the reverse."""
FINE = 3
"""Pixels over which a difference is averaged, to be taken off for its fine part. Coarse: over a patch."""
TABLES = ("pos_embed", "decoder_pos_embed")
DECODER = ("decoder_", "mask_token")
"""How the names of all that an encoder does without begin."""
COMPARED_FACES = 64
"""Real faces on which the fast residual is compared with the exact one."""


class RffrMae(nn.Module):
    """The masked autoencoder, and the statistics of the residuals of real faces.

    Attributes:
        mae: the autoencoder.
        statistics: what real faces' residuals are like; fitted once it is trained.
    """

    _shares: Tensor

    def __init__(self, config: MaeConfig) -> None:
        super().__init__()
        self.config = config
        self.mae = MaskedAutoencoder(config)
        self.grid = grid_of(config, config.residual)
        self.statistics = RealStatistics(len(BANDS) * len(self.grid.blocks))
        self.register_buffer("_shares", _block_shares(self.grid), persistent=False)

    def forward(self, image: Tensor) -> ResidualOutput:
        """How surprising faces are.

        Args:
            image: (B, 3, S, S) in [0, 1], of the size that the MAE was built for.

        Raises:
            ModelInputError: images of another size, an MAE that cannot inpaint, or one that was not fitted.
        """
        require_residual_source(self.config, where="scoring faces")
        if not self.statistics.num_faces:
            raise ModelInputError(
                "this MAE has no score: its residuals of real faces are not known",
                hint="train it, or import it with --reals MANIFEST",
            )
        inpainted = self.inpainted(image)
        residual = residual_of(image, inpainted, amplification=self.config.residual.amplification)
        return ResidualOutput(
            logit=self.statistics.logit(self.differences(image, inpainted)),
            reconstruction=inpainted.clamp(0, 1),
            error_map=residual.abs().mean(1, keepdim=True),
            residual=residual,
        )

    def inpainted(self, image: Tensor) -> Tensor:
        """Return faces (B, 3, S, S) with all blocks inpainted, not clamped."""
        section = self.config.residual
        return inpaint(self.mae, image, self.grid, mode=section.mode, chunk_size=section.chunk_size)

    def differences(self, image: Tensor, inpainted: Tensor) -> Tensor:
        """Mean absolute differences of images (B, 3, S, S), over the patches of each block.

        Returns:
            (B, 2 x blocks): of fine detail, such as grain and edges; then of coarse parts, such as a colour or a shape.
        """
        difference = inpainted - image
        size = self.config.patch_size // 2 * 2 + 1
        fine = difference - F.avg_pool2d(difference, FINE, stride=1, padding=FINE // 2, count_include_pad=False)
        coarse = F.avg_pool2d(difference, size, stride=1, padding=size // 2)
        with torch.autocast(image.device.type, enabled=False):
            return torch.cat([self.mae.to_patches(part.abs()).mean(2) @ self._shares for part in (fine, coarse)], dim=1)

    def target(self, image: Tensor, hidden: Tensor) -> Tensor:
        """(B, M, P) what the autoencoder should predict of the hidden patches (B, M)."""
        patches = self.mae.to_patches(self.mae.to_range(image))
        wanted = patches.gather(1, hidden[..., None].expand(-1, -1, patches.shape[2]))
        return normalised_patches(wanted) if self.config.norm_pix else wanted


def inpainting_errors(network: RffrMae, image: Tensor) -> Tensor:
    """(B,) the mean squared error of each face's inpainted blocks, in units of [0, 1].

    For an MAE trained with per-patch normalised targets: the loss under one fixed mask, the same for every face.
    """
    if network.config.norm_pix:
        masks = draw_masks(network.config, 1, generator=torch.Generator().manual_seed(0))
        visible, hidden = (part.to(image.device).expand(len(image), -1) for part in masks)
        prediction = network.mae.predict(network.mae.embed(image), visible, hidden)
        return inpainting_losses(prediction.float(), network.target(image, hidden).float())
    patches = torch.tensor(network.grid.patches(), device=image.device)
    inpainted = network.mae.to_patches(network.inpainted(image))[:, patches]
    return inpainting_losses(inpainted, network.mae.to_patches(image)[:, patches])


def block_errors(network: RffrMae, output: ResidualOutput, image: Tensor) -> Tensor:
    """Return the mean squared error (B,) over the inpainted blocks of images (B, 3, S, S) in [0, 1].

    Args:
        network: gave the output.
        output: for the images; its reconstruction is in [0, 1].
        image: (B, 3, S, S) in [0, 1].
    """
    patches = torch.tensor(network.grid.patches(), device=image.device)
    inpainted, face = (network.mae.to_patches(each)[:, patches] for each in (output.reconstruction, image))
    return inpainting_losses(inpainted, face)


def blocks_of(network: RffrMae) -> BlockGrid:
    """Return the blocks that a network inpaints."""
    return network.grid


@torch.no_grad()
def fit_statistics(network: RffrMae, batches: Iterable[Tensor]) -> dict[str, Any]:
    """Learn what the residuals of real faces are like, and what the fast residual changes.

    Args:
        network: changed in place.
        batches: (B, 3, S, S) each, of real faces that the MAE was not trained on.

    Returns:
        What was measured, for the artifact; nothing for an MAE that cannot inpaint, which is left as it is.

    Raises:
        TrainingError: too few faces.
    """
    if network.config.norm_pix:
        return {}
    differences, fast = [], FastDifference()
    for image in batches:
        inpainted = network.inpainted(image)
        differences.append(network.differences(image, inpainted))
        fast.add(network, image)
    rows = torch.cat(differences) if differences else torch.empty(0)
    if len(rows) < FEWEST_FACES:
        raise TrainingError(
            f"the score of real faces needs at least {FEWEST_FACES} of them that were held back, got {len(rows)}",
            hint="validate on more",
        )
    network.statistics.fit(rows)
    return {"fitted_on_faces": len(rows), "fast_residual": fast.measured()}


class FastDifference:
    """How much the fast residual differs from the exact one, over the first faces that are added."""

    def __init__(self) -> None:
        self._num_faces = 0
        self._absolute = self._size = self._largest = 0.0

    def add(self, network: RffrMae, image: Tensor) -> None:
        """Compare on a batch (B, 3, S, S)."""
        image = image[: COMPARED_FACES - self._num_faces]
        if not len(image):
            return
        section = network.config.residual
        patches = torch.tensor(network.grid.patches(), device=image.device)
        exact, fast = (
            network.mae.to_patches(
                residual_of(
                    image,
                    inpaint(network.mae, image, network.grid, mode=mode, chunk_size=section.chunk_size),
                    amplification=section.amplification,
                )
            )[:, patches]
            for mode in ("exact", "fast")
        )
        difference = (fast - exact).abs()
        self._absolute += float(difference.mean()) * len(image)
        self._size += float(exact.abs().mean()) * len(image)
        self._largest = max(self._largest, float(difference.max()))
        self._num_faces += len(image)

    def measured(self) -> dict[str, Any]:
        """In units of the residual, [-1, 1]."""
        return {
            "faces": self._num_faces,
            "mean_absolute_difference": self._absolute / self._num_faces,
            "largest_difference": self._largest,
            "mean_absolute_residual": self._size / self._num_faces,
        }


def load_mae_weights(network: RffrMae, file: Path) -> None:
    """Start the autoencoder from weights of its size, such as the public ones.

    The decoder keeps its random start where the file has an encoder alone, which is told. Tables of places that the
    file lacks or has for another grid are ours: they are fixed, not learned.

    Args:
        network: whose autoencoder is changed in place.
        file: a state dict as MAE's release names it, alone or in a checkpoint, or an artifact's `model.safetensors`.

    Raises:
        MissingInputError: no such file.
        ArtifactError: the file cannot be read, or does not fit.
    """
    own = network.mae.state_dict()
    checkpoint = Checkpoint.read(file).without("statistics.").without_prefix(own)
    kept = {name: own[name] for name in TABLES if _is_of_another_grid(checkpoint.tensors.get(name), own[name])}
    if not any(name.startswith(DECODER) for name in checkpoint.tensors):
        kept |= {name: value for name, value in own.items() if name.startswith(DECODER)}
        print(f"realface: {file} holds an encoder alone; the decoder starts from random weights", file=sys.stderr)
    load_weights(network.mae, checkpoint.tensors | kept, where=checkpoint.where)


def _is_of_another_grid(table: Tensor | None, own: Tensor) -> bool:
    """Return whether a table of places (1, 1 + N, W) is not there, or for another number of patches."""
    return table is None or (table.ndim == 3 and table.shape != own.shape and table.shape[2] == own.shape[2])


def _block_shares(grid: BlockGrid) -> Tensor:
    """(N, blocks) with which the patches of each block are averaged."""
    shares = torch.zeros(grid.side**2, len(grid.blocks))
    for number, block in enumerate(grid.blocks):
        shares[list(block.owned), number] = 1 / len(block.owned)
    return shares
