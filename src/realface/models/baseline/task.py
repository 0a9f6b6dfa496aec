"""One training step of the baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realface.models.baseline.network import Baseline
from realface.models.losses import classification_loss, pair_losses, weighted_pair_losses
from realface.models.outputs import Gather, Output, StepResult, local_rows


class BaselineTask(nn.Module):
    """The network with RECCE's classification loss; on pairs also with a ranking loss and the mask head's loss.

    Args:
        network: network to train.
        gather: function that collects the rows of all processes, so that the loss covers the whole batch; by default,
            each process computes the loss of its rows.
    """

    def __init__(self, network: Baseline, *, gather: Gather = local_rows) -> None:
        super().__init__()
        self.network = network
        self._gather = gather

    def forward(self, image: Tensor, label: Tensor, manipulation_mask: Tensor | None = None) -> StepResult:
        """Compute the loss of a batch.

        Args:
            image: (B, 3, S, S), in [0, 1].
            label: (B,) int64, 1 = fake.
            manipulation_mask: (B, 1, H, W) in [0, 1] for a batch of pairs, see `Task`; None for other batches.
        """
        config = self.network.config
        output: Output = self.network(image)
        with torch.autocast(image.device.type, enabled=False):
            logit = self._gather(output.logit)
            loss = classification_loss(logit, self._gather(label), flood_level=config.flood_level)
            parts = {"classification": loss}
            if manipulation_mask is not None:
                parts |= pair_losses(output, logit, manipulation_mask, gather=self._gather)
                loss = loss + weighted_pair_losses(parts, rank=config.rank_weight, mask=config.mask_weight)
        return StepResult(loss, {name: part.detach() for name, part in parts.items()}, output)
