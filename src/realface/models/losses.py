"""Losses that several methods share: classification, and pairs of a real face and a fake made from it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from realface.models.outputs import Gather, Output

MASK_THRESHOLD = 0.08
"""Share of pasted content above which a pixel counts as manipulated; prototype."""


def mask_head(width: int) -> nn.Conv2d:
    """Return the 1x1 convolution that says where a face was manipulated, from a map of the encoder.

    It starts with small weights and an output of about -2, because most places are real.

    Args:
        width: channels of the map.
    """
    head = nn.Conv2d(width, 1, kernel_size=1)
    nn.init.normal_(head.weight, std=0.01)
    assert head.bias is not None
    nn.init.constant_(head.bias, -2.0)
    return head


def classification_loss(logit: Tensor, label: Tensor, *, flood_level: float) -> Tensor:
    """Binary cross-entropy that is held up at the flood level, so that training goes on without overfitting.

    Args:
        logit: (B,), > 0 = fake. Of a two-class network the difference of its logits, with which this is exactly the
            cross-entropy of both.
        label: (B,) int64, 1 = fake.
        flood_level: b of |loss - b| + b.

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
        Scalar > 0: log(2) if both logits of each pair are equal, 0 in the limit of fakes far above their reals.

    Source: logistic ranking loss (RankNet, Burges et al. 2005).
    """
    return F.softplus(logit[0::2] - logit[1::2]).mean()


def mask_errors(predicted: Tensor, mask: Tensor) -> Tensor:
    """Return the binary cross-entropy between predicted and true masks, one mean per image.

    Args:
        predicted: (B, 1, h, w) logits.
        mask: (B, 1, H, W) in [0, 1], the share of pasted content; averaged over each place of `predicted`. Negative
            values mark images whose mask is not known.

    Returns:
        (B,) >= 0; 0 where the mask is not known.
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
        output: of the batch of this process.
        logit: (N x B,), gathered from `output.logit`.
        mask: (B, 1, H, W) in [0, 1], the share of pasted content; negative where it is not known.
        gather: collects rows of all processes.
    """
    losses = {"ranking": ranking_loss(logit)}
    if output.manipulation_mask is not None:
        losses["mask"] = gather(mask_errors(output.manipulation_mask, mask)).mean()
    return losses


def weighted_pair_losses(losses: Mapping[str, Tensor], *, rank: float, mask: float) -> Tensor:
    """Return the weighted sum of what `pair_losses` gives."""
    total = rank * losses["ranking"]
    return total + mask * losses["mask"] if "mask" in losses else total
