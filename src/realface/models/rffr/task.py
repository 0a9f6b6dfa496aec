"""One training step of RFFR's MAE, and of its detector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realface.models.outputs import Gather, StepResult, local_rows
from realface.models.rffr.blocks import draw_blocks, draw_common_blocks, draw_masks
from realface.models.rffr.mae import inpainting_losses
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr, classification_loss


class MaeTask(nn.Module):
    """The MAE predicts hidden patches of real faces.

    The hidden patches are drawn from torch's global generator, like dropout.

    Args:
        network: network to train.
        gather: function that collects the rows of all processes, so that the loss covers the whole batch; by default,
            each process computes the loss of its rows.
    """

    def __init__(self, network: RffrMae, *, gather: Gather = local_rows) -> None:
        super().__init__()
        self.network = network
        self._gather = gather

    def forward(self, image: Tensor, label: Tensor) -> StepResult:  # noqa: ARG002 (every task takes it)
        """Return the loss of a batch of real faces.

        Args:
            image: (B, 3, S, S), in [0, 1].
            label: (B,) int64; ignored, because the run trains on real faces only.
        """
        mae = self.network.mae
        visible, hidden = (part.to(image.device) for part in draw_masks(mae.config, len(image)))
        prediction = mae.predict(mae.embed(image), visible, hidden)
        with torch.autocast(image.device.type, enabled=False):
            losses = inpainting_losses(prediction.float(), self.network.target(image, hidden).float())
            loss = self._gather(losses).mean()
        return StepResult(loss, {"inpainting": loss.detach()}, None)


class RffrTask(nn.Module):
    """The two branches learn to detect fakes from some blocks of a face and their residual.

    The blocks are drawn from torch's global generator, like dropout.

    Args:
        network: network to train, except for its MAE.
        gather: function that collects the rows of all processes, so that the loss covers the whole batch; by default,
            each process computes the loss of its rows.
    """

    def __init__(self, network: Rffr, *, gather: Gather = local_rows) -> None:
        super().__init__()
        self.network = network
        self._gather = gather

    def forward(self, image: Tensor, label: Tensor, residual: Tensor | None = None) -> StepResult:
        """Return the loss of a batch.

        Args:
            image: (B, 3, S, S), in [0, 1].
            label: (B,) int64, 1 = fake.
            residual: (B, 3, S, S) of these faces, as computed before; computed here by default, of the used blocks.
        """
        output = self.network(image, residual=residual, used=self._used_blocks(len(image)).to(image.device))
        with torch.autocast(image.device.type, enabled=False):
            loss = classification_loss(self._gather(output.logits).float(), self._gather(label))
        return StepResult(loss, {"classification": loss.detach()}, output)

    def _used_blocks(self, num_images: int) -> Tensor:
        config, num_blocks = self.network.config, len(self.network.grid.blocks)
        if config.blocks_per_image is not None:
            return draw_blocks(num_blocks, num_images, count=config.blocks_per_image)
        return draw_common_blocks(num_blocks, num_images, probability=config.block_probability)
