"""The outputs of networks and the interface of tasks.

Functions exchange images as float32 RGB (B, 3, H, W) in [0, 1]; each network normalises its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from torch import Tensor

Gather = Callable[[Tensor], Tensor]
"""Rows (B, ...) of this process -> rows of all processes (N x B, ...), in the same order everywhere, with gradient."""


@dataclass(frozen=True)
class Output:
    """Output of a detector for a batch.

    Attributes:
        logit: (B,), > 0 = fake.
        manipulation_mask: (B, 1, h, w), logits: > 0 = this position was manipulated. None for a network without a mask
            head.
    """

    logit: Tensor
    manipulation_mask: Tensor | None = field(default=None, kw_only=True)

    @property
    def score(self) -> Tensor:
        """Uncalibrated probability that each face is fake, (B,) in [0, 1]."""
        return self.logit.sigmoid()


@dataclass(frozen=True)
class ReconstructionOutput(Output):
    """Output of a detector that reconstructs the face.

    Attributes:
        reconstruction: (B, 3, H, W) in [0, 1], the network's reconstruction of the face.
        error_map: (B, 1, H, W) >= 0, the reconstruction error of each pixel.
        attention: (B, 1, h, w) in [0, 1], how strongly the reconstruction error directs the classifier to each
            position; a grid over the whole face, with its outermost points on the edges. None for a method without
            such a map.
    """

    reconstruction: Tensor
    error_map: Tensor
    attention: Tensor | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class StepResult:
    """One training step's loss.

    Attributes:
        loss: scalar, to be minimised.
        parts: named, detached scalars that the loss is made of, for the log.
        output: the network's output for the batch; None for a step without an output, such as an MAE's, which sees
            only parts of faces.
    """

    loss: Tensor
    parts: Mapping[str, Tensor]
    output: Output | None


def local_rows(rows: Tensor) -> Tensor:
    """Return the rows unchanged: the `Gather` of a task with a loss per process.

    Args:
        rows: rows of this process, (B, ...).
    """
    return rows


@runtime_checkable
class Task(Protocol):
    """Interface of a method for the training loop: an `nn.Module` that contains the network.

    A task whose method trains on pairs also accepts `manipulation_mask`, (B, 1, H, W) in [0, 1]: the share of pasted
    content in each pixel. In that case rows 2 i and 2 i + 1 of the batch are a real face and its pseudo-fake.
    """

    def forward(self, image: Tensor, label: Tensor) -> StepResult:
        """Compute the loss of one training step.

        Args:
            image: (B, 3, H, W), in [0, 1].
            label: (B,) int64, 1 = fake.
        """
