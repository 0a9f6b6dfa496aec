"""What every network returns and what every task is: the contract between models and the rest.

Images between functions are float32 RGB (B, 3, H, W) in [0, 1]; each network normalises inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from torch import Tensor

Gather = Callable[[Tensor], Tensor]
"""Rows (B, ...) of this process -> those of all processes (N x B, ...), in the same order everywhere, with gradient."""


@dataclass(frozen=True)
class Output:
    """What a detector says of a batch.

    Attributes:
        logit: (B,), > 0 = fake.
        manipulation_mask: (B, 1, h, w), logits: > 0 = this place was manipulated. None for a network without a mask
            head.
    """

    logit: Tensor
    manipulation_mask: Tensor | None = field(default=None, kw_only=True)

    @property
    def score(self) -> Tensor:
        """(B,), in [0, 1]: the uncalibrated probability of a forgery."""
        return self.logit.sigmoid()


@dataclass(frozen=True)
class ReconstructionOutput(Output):
    """What a detector that reconstructs the face says.

    Attributes:
        reconstruction: (B, 3, H, W) in [0, 1], the face as the network believes it should be.
        error_map: (B, 1, H, W) >= 0, the reconstruction error of each pixel.
        attention: (B, 1, h, w) in [0, 1], how much the reconstruction error steers the classifier to each place; a grid
            over the whole face, with its outermost points on the edges. None for a method that has no such map.
    """

    reconstruction: Tensor
    error_map: Tensor
    attention: Tensor | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class StepResult:
    """One training step's loss.

    Attributes:
        loss: scalar, to be minimised.
        parts: named scalars that make it up, detached, for the log.
        output: the network's output for the batch; None where a step makes none, as that of an MAE, which sees parts
            of faces only.
    """

    loss: Tensor
    parts: Mapping[str, Tensor]
    output: Output | None


def local_rows(rows: Tensor) -> Tensor:
    """Return the rows unchanged: the `Gather` of a task whose losses use each process's batch only.

    Args:
        rows: (B, ...).
    """
    return rows


@runtime_checkable
class Task(Protocol):
    """A method as the training loop sees it: an `nn.Module` with a network inside; the loop knows no method.

    A task whose method trains on pairs also takes `manipulation_mask`, (B, 1, H, W) in [0, 1]: the share of pasted
    content in each pixel. With it, rows 2 i and 2 i + 1 of the batch are a real face and the fake made from it.
    """

    def forward(self, image: Tensor, label: Tensor) -> StepResult:
        """One training step.

        Args:
            image: (B, 3, H, W), in [0, 1].
            label: (B,) int64, 1 = fake.
        """
