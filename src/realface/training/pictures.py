"""Images of some validation faces during a run: the network's input and its output."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.utils import make_grid  # type: ignore[import-untyped]

from realface.core.labels import Label
from realface.core.map_kinds import MapKind
from realface.data.dataset import CropDataset
from realface.data.transforms import FaceTransform
from realface.evaluation.forgery_map import Scale, forgery_maps, lay_over
from realface.evaluation.scoring import evaluating
from realface.manifest.manifest import Manifest
from realface.models.method import RealOnly
from realface.models.outputs import ReconstructionOutput

FACES_PER_CLASS = 4


def spread_rows(rows: Manifest) -> list[int]:
    """Return some reals, then some fakes, evenly spread over the rows of their class."""
    chosen: list[int] = []
    for label in (Label.REAL, Label.FAKE):
        of_class = np.flatnonzero(rows.labels == label)
        places = np.linspace(0, len(of_class) - 1, min(FACES_PER_CLASS, len(of_class))).round().astype(int)
        chosen += of_class[places].tolist()
    return chosen


def reconstruction_grid(
    network: nn.Module, rows: Manifest, *, input_size: int, device: torch.device
) -> dict[str, Tensor]:
    """Return an image with one row each for faces, their reconstructions and the error maps, reals left of fakes.

    Returns:
        One image (3, H, W) in [0, 1], all error maps on one scale; empty if the network does not reconstruct.
    """
    image = _spread_faces(rows, input_size)
    with evaluating(network), torch.inference_mode():
        output = network(image.to(device))
    if not isinstance(output, ReconstructionOutput):
        return {}
    maps = forgery_maps(output, MapKind.ERROR_MAP)
    assert maps is not None
    scale = Scale.spanning(MapKind.ERROR_MAP, maps)
    faces = (image * 255).round().byte().permute(0, 2, 3, 1).numpy()
    drawn = [lay_over(face, face_map, scale) for face, face_map in zip(faces, maps, strict=True)]
    error_map = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2) / 255
    grid = torch.cat([image, output.reconstruction.float().cpu(), error_map])
    return {"val/face_reconstruction_error_map": make_grid(grid, nrow=len(image), padding=4, pad_value=1.0)}


def inpainting_sheet(
    network: nn.Module, real_only: RealOnly, rows: Manifest, *, input_size: int, device: torch.device
) -> dict[str, Tensor]:
    """Return an image of some of the rows, inpainted by a network that learns only from real faces.

    Returns:
        One image (3, H, W) in [0, 1].
    """
    image = _spread_faces(rows, input_size).to(device)
    with evaluating(network), torch.inference_mode():
        sheet = real_only.sheet(network, image)
    return {"val/inpainting": torch.from_numpy(sheet).permute(2, 0, 1) / 255}


def _spread_faces(rows: Manifest, input_size: int) -> Tensor:
    chosen = rows.take(spread_rows(rows))
    crops = CropDataset(chosen, transform=FaceTransform(input_size), seed=0, training=False)
    return torch.stack([crops[row]["image"] for row in range(len(crops))])
