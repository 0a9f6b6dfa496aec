"""What RFFR's networks return."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from realface.models.outputs import ReconstructionOutput


@dataclass(frozen=True)
class ResidualOutput(ReconstructionOutput):
    """What is said of faces by their residual.

    The reconstruction is the face with every block inpainted, each from all that surrounds it; the error map is the
    residual's mean size over the colours.

    Attributes:
        residual: (B, 3, S, S) in [-1, 1], the amplified difference of inpainting and face; 0 where there is none.
    """

    residual: Tensor


@dataclass(frozen=True)
class RffrOutput(ResidualOutput):
    """What the two branches say.

    Attributes:
        logits: (B, 2), real and fake.
        feature: (B, 2 W), of the RGB branch, then of the residual branch.
    """

    logits: Tensor
    feature: Tensor
