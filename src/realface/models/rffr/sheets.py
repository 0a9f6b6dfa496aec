"""What a prior makes of faces, as pictures: face | masked | inpainted | amplified difference.

Source: the demo of RFFR's release, which hides one random block of each face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realface.media.sheets import Picture, beside, stacked
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.prior import RffrPrior

AMPLIFICATION = 4.0
"""Of the difference. Source: release."""
HIDDEN = 0.5
"""Grey of what is hidden, in [0, 1]."""
VALIDATION_GAP = 4


@dataclass(frozen=True)
class InpaintedFace:
    """One face's four pictures, (S, S, 3) each."""

    face: Picture
    masked: Picture
    inpainted: Picture
    difference: Picture

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """In the sheet's order."""
        return self.face, self.masked, self.inpainted, self.difference


def inpainted_faces(image: Tensor, masked: Tensor, inpainted: Tensor, *, amplification: float) -> list[InpaintedFace]:
    """The pictures of faces.

    Args:
        image: (B, 3, S, S) in [0, 1].
        masked: likewise, the hidden parts greyed.
        inpainted: (B, 3, S, S), not clamped.
        amplification: what the absolute difference is multiplied by.
    """
    difference = amplification * (inpainted.clamp(0, 1) - image).abs()
    parts = [_as_pictures(part) for part in (image, masked, inpainted, difference)]
    return [InpaintedFace(*pictures) for pictures in zip(*parts, strict=True)]


def greyed(mae: MaskedAutoencoder, image: Tensor, hidden: Tensor) -> Tensor:
    """Faces (B, 3, S, S) with the patches (B, M) greyed, each a little smaller than it is, so that they can be told."""
    patches = mae.to_patches(image).clone()
    patches[torch.arange(len(image), device=image.device)[:, None], hidden] = HIDDEN
    return mae.to_image(patches)


@torch.no_grad()
def validation_sheet(network: RffrPrior, image: Tensor) -> NDArray[np.uint8]:
    """A row for each of some faces (B, 3, S, S), every block inpainted from all that surrounds it.

    A prior that cannot inpaint shows the faces alone.
    """
    if network.config.norm_pix:
        return stacked([beside(_as_pictures(image), gap=VALIDATION_GAP)])
    hidden = torch.tensor(network.grid.patches(), device=image.device).expand(len(image), -1)
    faces = inpainted_faces(
        image, greyed(network.mae, image, hidden), network.inpainted(image), amplification=AMPLIFICATION
    )
    return stacked([beside(face.pictures, gap=VALIDATION_GAP) for face in faces], gap=VALIDATION_GAP)


def _as_pictures(image: Tensor) -> list[Picture]:
    grey_levels = (image.float().clamp(0, 1) * 255).round().byte()
    return list(grey_levels.permute(0, 2, 3, 1).cpu().numpy())
