"""One training step of the baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realface.models.baseline.network import Baseline
from realface.models.outputs import Gather, Output, StepResult, own_rows
from realface.models.recce.losses import classification_loss


class BaselineTask(nn.Module):
    """The network with RECCE's classification loss and no other.

    Args:
        network: what is trained.
        gather: makes the loss that of the batch of all processes; by default each has its own.
    """

    def __init__(self, network: Baseline, *, gather: Gather = own_rows) -> None:
        super().__init__()
        self.network = network
        self._gather = gather

    def forward(self, image: Tensor, label: Tensor) -> StepResult:
        """The loss of a batch.

        Args:
            image: (B, 3, S, S), in [0, 1].
            label: (B,) int64, 1 = fake.
        """
        output: Output = self.network(image)
        with torch.autocast(image.device.type, enabled=False):
            loss = classification_loss(
                self._gather(output.logit), self._gather(label), flood_level=self.network.config.flood_level
            )
        return StepResult(loss, {"classification": loss.detach()}, output)
