"""The forgery map: the difference between reconstruction and face, and the attention that results from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from realface.core.map_kinds import MapKind
from realface.models.outputs import Output, ReconstructionOutput

SMOOTHING = 1 / 64
"""Standard deviation of the Gaussian that smooths the error map, as a share of the input size."""
MASK_SCALE = 8
"""Enlargement of the mask head's map, so that it is smooth over the face."""
PERCENTILE = 99
"""Percentage of pixels below the strongest colour, so that a few outliers do not make all further pixels pale."""
STRONGEST = 0.75
"""Share of the colour over the face at the map's maximum, so that the face below stays visible."""

Picture: TypeAlias = NDArray[np.uint8]
FaceMap: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """Range of a map's values that the colours cover; shared by faces that are compared.

    Attributes:
        low: values up to here have no colour.
        high: values from here up have the strongest colour.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g}"

    @classmethod
    def spanning(cls, kind: MapKind, maps: Sequence[FaceMap]) -> Scale:
        """Return the scale on which some maps, at least one, can be read and compared.

        The error starts at 0. Attention is nowhere 0 and differs little from place to place, so
        it starts at its lowest value. The mask head's values are probabilities: 0 to 1 in every file.
        """
        if kind is MapKind.MANIPULATION:
            return cls(0.0, 1.0)
        values = np.concatenate([face_map.ravel() for face_map in maps])
        lowest, high = np.percentile(values, [100 - PERCENTILE, PERCENTILE])
        return cls(0.0 if kind is MapKind.ERROR_MAP else float(lowest), float(high))

    def strength(self, face_map: FaceMap) -> FaceMap:
        """Return the map in [0, 1]; 0 everywhere when the scale has no length."""
        if self.high <= self.low:
            return np.zeros_like(face_map)
        strength = np.clip((face_map - self.low) / (self.high - self.low), 0, 1)
        return np.asarray(strength, dtype=np.float32)


def forgery_maps(output: Output, kind: MapKind) -> list[FaceMap] | None:
    """Return a map of every face of a batch, at the size of the network's input; a mask head's at 8 times its own size.

    The error map is smoothed: its single pixels are noise and edges. Attention, which is coarse, is interpolated
    linearly.

    Args:
        output: output of any method.
        kind: kind of map.

    Returns:
        (H, W) for each face; None when the method has no such map.
    """
    if kind is MapKind.MANIPULATION:
        mask = output.manipulation_mask
        if mask is None:
            return None
        return _arrays(F.interpolate(mask.sigmoid(), scale_factor=MASK_SCALE, mode="bilinear"))
    if not isinstance(output, ReconstructionOutput):
        return None
    height, width = output.error_map.shape[-2:]
    if kind is MapKind.ERROR_MAP:
        return [_smoothed(face_map, sigma=SMOOTHING * width) for face_map in _arrays(output.error_map)]
    if output.attention is None:
        return None
    # the outermost points are on the edges, as defined for the output
    return _arrays(F.interpolate(output.attention, size=(height, width), mode="bilinear", align_corners=True))


def lay_over(picture: Picture, face_map: FaceMap, scale: Scale) -> Picture:
    """Return an image in grey, coloured by a map that covers it; where the map is low, the image is only grey.

    The image is grey because a map also has the colours of skin.

    Args:
        picture: (H, W, 3) RGB.
        face_map: (h, w), upsampled to the size of the image.
        scale: scale of the colours.

    Returns:
        (H, W, 3), another array.
    """
    height, width = picture.shape[:2]
    strength = scale.strength(np.asarray(cv2.resize(face_map, (width, height)), dtype=np.float32))
    share = STRONGEST * strength[..., None]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    return ((1 - share) * grey + share * _colours(strength)).round().astype(np.uint8)


def colour_bar(*, height: int, width: int) -> Picture:
    """Return the colours from the lowest value, left, to the highest, as they look over grey; (height, width, 3)."""
    ramp = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    return lay_over(np.full((height, width, 3), 128, np.uint8), ramp, Scale(0.0, 1.0))


def _arrays(maps: Tensor) -> list[FaceMap]:
    """(B, 1, H, W) -> B of (H, W)."""
    return list(maps.squeeze(1).float().cpu().numpy())


def _smoothed(face_map: FaceMap, *, sigma: float) -> FaceMap:
    return np.asarray(cv2.GaussianBlur(face_map, (0, 0), sigma), dtype=np.float32)


def _colours(strength: FaceMap) -> Picture:
    """(H, W) in [0, 1] -> (H, W, 3) RGB, from black to yellow."""
    grey = (strength * 255).round().astype(np.uint8)
    return np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1], dtype=np.uint8)  # BGR -> RGB
