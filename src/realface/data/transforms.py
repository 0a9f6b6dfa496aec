"""Conversion of a stored crop into the input of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realface.data.degradations.draw import DegradationsSection, draw_degradations
from realface.media.images import resize_image


@dataclass(frozen=True)
class FaceTransform:
    """Resizes a crop; in training, mirrors and degrades some.

    Attributes:
        input_size: height and width of the result, in pixels.
        flip: probability that a crop is mirrored left to right, in [0, 1]; unused without a generator.
        degradations: degradations drawn for each crop after that; None disables them; unused without a generator.

    Source: RECCE's and RFFR's releases, which train with `flip` 0.5.
    """

    input_size: int
    flip: float = 0.0
    degradations: DegradationsSection | None = None

    def __call__(self, image: NDArray[np.uint8], generator: np.random.Generator | None = None) -> Tensor:
        """Return the input of the network.

        Args:
            image: (H, W, 3) uint8 RGB.
            generator: source of all randomness; None disables it.

        Returns:
            (3, S, S) float32 in [0, 1], contiguous.
        """
        resized = resize_image(image, self.input_size)
        if generator is not None and generator.random() < self.flip:
            resized = resized[:, ::-1]
        if generator is not None and self.degradations is not None:
            resized = draw_degradations(self.degradations, generator)(np.ascontiguousarray(resized))
        channels_first = np.ascontiguousarray(resized.transpose(2, 0, 1))
        return torch.from_numpy(channels_first).to(torch.float32) / 255
