"""RFFR as its authors' release computes it: one pass per block and a loop that pastes the predicted patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.transforms.v2.functional import normalize  # type: ignore[import-untyped]

from realface.models.rffr.blocks import draw_common_blocks
from realface.models.rffr.branches import branch_feature
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.network import Rffr, classification_loss

AMPLIFICATION = 4.0


class SequentialResidual(nn.Module):
    """Residual of a masked autoencoder, computed block by block.

    As in the release, each pass embeds the image again, puts visible and mask tokens back into the image's order, sends
    all of them through all layers and the head, and computes the training loss, although it is not used.

    Args:
        mae: the network whose parameters are used. They are shared, not copied.
        blocks: numbers of the patches that each pass hides.
    """

    def __init__(self, mae: MaskedAutoencoder, blocks: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.mae = mae
        self.blocks = [list(block) for block in blocks]

    @torch.no_grad()
    def residual(self, image: Tensor, used: Sequence[int] | None = None) -> Tensor:
        """Return the residual.

        Args:
            image: (B, 3, S, S) faces, in [0, 1].
            used: numbers of the blocks to inpaint; all blocks when None.

        Returns:
            (B, 3, S, S), in [-1, 1].
        """
        pasted = image.clone()
        for number in range(len(self.blocks)) if used is None else used:
            hidden = self.blocks[number]
            prediction = self._predicted(image, hidden)
            side, size = self.mae.config.grid_side, self.mae.config.patch_size
            for patch in hidden:
                top, left = patch // side * size, patch % side * size
                for face in range(len(image)):
                    pixels = prediction[face, patch].reshape(size, size, 3).permute(2, 0, 1)
                    pasted[face, :, top : top + size, left : left + size] = pixels
        return (AMPLIFICATION * (pasted - image)).clamp(-1, 1)

    def _predicted(self, image: Tensor, hidden: Sequence[int]) -> Tensor:
        """Return the prediction (B, N, P) of every patch of images (B, 3, S, S) whose patches `hidden` are hidden."""
        mae, num_images = self.mae, len(image)
        mask = torch.zeros(num_images, mae.num_patches, device=image.device)
        mask[:, list(hidden)] = 1
        order = mask.argsort(dim=1, stable=True)  # visible patches first
        back = order.argsort(dim=1)
        tokens = mae.patch_embed(image) + mae.pos_embed[:, 1:]
        num_visible = mae.num_patches - len(hidden)
        kept = tokens.gather(1, order[:, :num_visible, None].expand(-1, -1, tokens.shape[2]))
        latent = torch.cat([(mae.cls_token + mae.pos_embed[:, :1]).expand(num_images, -1, -1), kept], dim=1)
        for block in mae.blocks:
            latent = block(latent)
        shown = mae.decoder_embed(mae.norm(latent))
        patches = torch.cat([shown[:, 1:], mae.mask_token.expand(num_images, len(hidden), -1)], dim=1)
        patches = patches.gather(1, back[..., None].expand(-1, -1, patches.shape[2]))
        decoded = torch.cat([shown[:, :1], patches], dim=1) + mae.decoder_pos_embed
        for block in mae.decoder_blocks:
            decoded = block(decoded)
        prediction: Tensor = mae.decoder_pred(mae.decoder_norm(decoded))[:, 1:]
        (((prediction - mae.to_patches(image)) ** 2).mean(2) * mask).sum() / mask.sum()
        return prediction


class ReleasedTask(nn.Module):
    """Loss of a training step as the release computes it: the used blocks in sequence, then both branches.

    Args:
        network: the network whose parameters are used. They are shared, not copied.
    """

    def __init__(self, network: Rffr) -> None:
        super().__init__()
        self.network = network
        self._sequential = SequentialResidual(network.mae, [block.hidden for block in network.grid.blocks])

    def loss(self, image: Tensor, label: Tensor) -> Tensor:
        """Return the classification loss, a scalar.

        Args:
            image: (B, 3, S, S) faces, in [0, 1].
            label: (B,) int64, 1 = fake.
        """
        network, config, grid = self.network, self.network.config, self.network.grid
        drawn = draw_common_blocks(len(grid.blocks), 1, probability=config.block_probability)[0]
        used: list[int] = drawn.nonzero()[:, 0].tolist()
        residual = self._sequential.residual(image, used)
        patches = torch.tensor(grid.patches(used), device=image.device).expand(len(image), -1)
        images = {
            network.backbone_1: normalize(image, list(config.image_mean), list(config.image_std)),
            network.backbone_2: residual,
        }
        features = [branch_feature(branch, seen, patches) for branch, seen in images.items()]
        return classification_loss(network.classifier(torch.cat(features, dim=1)), label)
