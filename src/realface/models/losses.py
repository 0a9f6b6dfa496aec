"""Losses that several methods share: for classification, and for pairs of a real face and its pseudo-fake."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from realface.models.outputs import Gather, Output

MASK_THRESHOLD = 0.08
"""A pixel with a larger share of pasted content than this counts as manipulated. Source: prototype."""


def mask_head(width: int) -> nn.Conv2d:
    """Return the 1x1 convolution that predicts the manipulated parts of a face from a map of the encoder.

    It starts with small weights and an output of about -2, because most positions are real.

    Args:
        width: number of channels of the map.
    """
    head = nn.Conv2d(width, 1, kernel_size=1)
    nn.init.normal_(head.weight, std=0.01)
    assert head.bias is not None
    nn.init.constant_(head.bias, -2.0)
    return head


def classification_loss(logit: Tensor, label: Tensor, *, flood_level: float) -> Tensor:
    """Return the binary cross-entropy, which rises again below the flood level to prevent overfitting.

    Args:
        logit: (B,), > 0 = fake. For a two-class network, the difference of the two logits; the result is then exactly
            the two-class cross-entropy.
        label: (B,) int64, 1 = fake.
        flood_level: b in |loss - b| + b, >= 0.

    Returns:
        Scalar >= flood_level.

    Source: release; flooding from arXiv 2002.08709.
    """
    loss = F.binary_cross_entropy_with_logits(logit, label.to(logit.dtype))
    return (loss - flood_level).abs() + flood_level


def ranking_loss(logit: Tensor) -> Tensor:
    """Return the mean softplus of real minus fake over the pairs.

    Args:
        logit: (B,), > 0 = fake; rows 2 i and 2 i + 1 are the real face and the fake of a pair.

    Returns:
        Scalar > 0: log(2) if the two logits of each pair are equal, close to 0 for fakes far above their reals.

    Source: logistic ranking loss (RankNet, Burges et al. 2005).
    """
    return F.softplus(logit[0::2] - logit[1::2]).mean()


def mask_errors(predicted: Tensor, mask: Tensor) -> Tensor:
    """Return the binary cross-entropy between predicted and true masks, one mean per image.

    Args:
        predicted: (B, 1, h, w) logits.
        mask: (B, 1, H, W) in [0, 1], the share of pasted content; averaged over each position of `predicted`. Negative
            values mark images with an unknown mask.

    Returns:
        (B,) >= 0; 0 for an unknown mask.
    """
    is_known = mask.amin(dim=(1, 2, 3)) >= 0
    target = F.adaptive_avg_pool2d(
        (mask > MASK_THRESHOLD).to(predicted.dtype), (predicted.shape[-2], predicted.shape[-1])
    )
    errors = F.binary_cross_entropy_with_logits(predicted, target, reduction="none").mean(dim=(1, 2, 3))
    return errors * is_known


def pair_losses(output: Output, logit: Tensor, mask: Tensor, *, gather: Gather) -> dict[str, Tensor]:
    """Return the losses of a batch of pairs by name: `ranking`, and `mask` if the network has a mask head.

    Args:
        output: output for the batch of this process.
        logit: (N x B,), gathered from `output.logit`.
        mask: (B, 1, H, W) in [0, 1], the share of pasted content; negative if unknown.
        gather: function that collects the rows of all processes.
    """
    losses = {"ranking": ranking_loss(logit)}
    if output.manipulation_mask is not None:
        losses["mask"] = gather(mask_errors(output.manipulation_mask, mask)).mean()
    return losses


def weighted_pair_losses(losses: Mapping[str, Tensor], *, rank: float, mask: float) -> Tensor:
    """Return the weighted sum of the losses from `pair_losses`."""
    total = rank * losses["ranking"]
    return total + mask * losses["mask"] if "mask" in losses else total
