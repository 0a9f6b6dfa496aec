"""One training step of RECCE."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realface.models.losses import classification_loss, pair_losses, weighted_pair_losses
from realface.models.outputs import Gather, StepResult, local_rows
from realface.models.recce.losses import metric_loss, reconstruction_errors, reconstruction_loss
from realface.models.recce.network import Recce, RecceOutput, to_network_range
from realface.models.recce.similarity import similarity_map


class RecceTask(nn.Module):
    """The network with its three losses; on pairs also with a ranking loss and the mask head's loss.

    Args:
        network: network to train.
        gather: function that collects the rows of all processes, so that the losses cover the whole batch; by default,
            each process computes the losses of its rows.
    """

    def __init__(self, network: Recce, *, gather: Gather = local_rows) -> None:
        super().__init__()
        self.network = network
        self._gather = gather

    def forward(self, image: Tensor, label: Tensor, manipulation_mask: Tensor | None = None) -> StepResult:
        """Compute the loss of a batch.

        Args:
            image: (B, 3, H, W), in [0, 1].
            label: (B,) int64, 1 = fake.
            manipulation_mask: for a batch of pairs, see `Task`; None for other batches.

        Source: release, classification + lambda_1 reconstruction + lambda_2 metric.
        """
        config = self.network.config
        output: RecceOutput = self.network(image)
        with torch.autocast(image.device.type, enabled=False):  # similarities of a batch differ in the third digit
            errors = reconstruction_errors(to_network_range(output.reconstruction), to_network_range(image))
            labels = self._gather(label)
            logit = self._gather(output.logit)
            classification = classification_loss(logit, labels, flood_level=config.flood_level)
            reconstruction = reconstruction_loss(self._gather(errors), labels)
            similarities = [similarity_map(self._gather(embedding)) for embedding in output.embeddings]
            metric = torch.stack([metric_loss(s, labels, margin=config.metric_margin) for s in similarities]).sum()
            loss = classification + config.lambda_1 * reconstruction + config.lambda_2 * metric
            parts = {"classification": classification, "reconstruction": reconstruction, "metric": metric}
            if manipulation_mask is not None:
                parts |= pair_losses(output, logit, manipulation_mask, gather=self._gather)
                loss = loss + weighted_pair_losses(parts, rank=config.rank_weight, mask=config.mask_weight)
        return StepResult(loss, {name: part.detach() for name, part in parts.items()}, output)
