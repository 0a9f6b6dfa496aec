"""RFFR's MAE as a detector: fakes have larger inpainting errors than real faces."""

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
"""Parts of a block's difference: a forgery can change the grain and not the shape, or the shape and not the grain."""
FINE = 3
"""Window in pixels: the fine part is the difference minus its mean over this window. The coarse window is a patch."""
TABLES = ("pos_embed", "decoder_pos_embed")
DECODER = ("decoder_", "mask_token")
"""Prefixes of the parameters that an encoder without a decoder does not have."""
COMPARED_FACES = 64
"""Number of real faces for the comparison of the fast residual with the exact residual."""


class RffrMae(nn.Module):
    """The masked autoencoder, and the statistics of the residuals of real faces.

    Attributes:
        mae: the autoencoder.
        statistics: distribution of the residuals of real faces; fitted after training.
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
        """Score faces by their distance from real faces.

        Args:
            image: (B, 3, S, S) in [0, 1], with the size that the MAE was built for.

        Raises:
            ModelInputError: wrong image size, an MAE that cannot inpaint, or statistics that were not fitted.
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
        """Return the mean absolute differences of images (B, 3, S, S), over the patches of each block.

        Returns:
            (B, 2 x blocks): differences in fine detail, such as grain and edges; then in coarse parts, such as colours
            and shapes.
        """
        difference = inpainted - image
        size = self.config.patch_size // 2 * 2 + 1
        fine = difference - F.avg_pool2d(difference, FINE, stride=1, padding=FINE // 2, count_include_pad=False)
        coarse = F.avg_pool2d(difference, size, stride=1, padding=size // 2)
        with torch.autocast(image.device.type, enabled=False):
            return torch.cat([self.mae.to_patches(part.abs()).mean(2) @ self._shares for part in (fine, coarse)], dim=1)

    def target(self, image: Tensor, hidden: Tensor) -> Tensor:
        """Return the target (B, M, P) of the autoencoder for the hidden patches (B, M)."""
        patches = self.mae.to_patches(self.mae.to_range(image))
        wanted = patches.gather(1, hidden[..., None].expand(-1, -1, patches.shape[2]))
        return normalised_patches(wanted) if self.config.norm_pix else wanted


def inpainting_errors(network: RffrMae, image: Tensor) -> Tensor:
    """Return the mean squared error (B,) of the inpainted blocks of faces (B, 3, S, S) in [0, 1].

    For an MAE trained with per-patch normalised targets, return the loss with one fixed mask for all faces.
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
        network: network that computed the output.
        output: output for the images; its reconstruction is in [0, 1].
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
    """Fit the statistics of real faces' residuals, and measure the error of the fast residual.

    Args:
        network: network to change in place.
        batches: batches (B, 3, S, S) of real faces that the MAE was not trained on.

    Returns:
        Measurements for the artifact; empty for an MAE that cannot inpaint, which stays unchanged.

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
    """Difference between the fast and the exact residual, over the first faces."""

    def __init__(self) -> None:
        self._num_faces = 0
        self._absolute = self._size = self._largest = 0.0

    def add(self, network: RffrMae, image: Tensor) -> None:
        """Add the differences on a batch (B, 3, S, S)."""
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
        """Return the differences by name, in units of the residual, [-1, 1]."""
        return {
            "faces": self._num_faces,
            "mean_absolute_difference": self._absolute / self._num_faces,
            "largest_difference": self._largest,
            "mean_absolute_residual": self._size / self._num_faces,
        }


def load_mae_weights(network: RffrMae, file: Path) -> None:
    """Start the autoencoder from weights of its size, such as public weights.

    If the file contains only an encoder, the decoder keeps its random weights and a message is printed. Position tables
    that are missing in the file, or belong to another grid, keep our values: they are fixed, not learned.

    Args:
        network: network to change in place; only its autoencoder changes.
        file: state dict with the names of MAE's release, bare or in a checkpoint, or an artifact's `model.safetensors`.

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
    """Return whether a position table (1, 1 + N, W) is missing, or has another number of patches."""
    return table is None or (table.ndim == 3 and table.shape != own.shape and table.shape[2] == own.shape[2])


def _block_shares(grid: BlockGrid) -> Tensor:
    """Return the weights (N, blocks) that average the patches of each block."""
    shares = torch.zeros(grid.side**2, len(grid.blocks))
    for number, block in enumerate(grid.blocks):
        shares[list(block.owned), number] = 1 / len(block.owned)
    return shares
