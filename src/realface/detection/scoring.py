"""Face crops through the network, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realface.core.errors import ArtifactError, DeviceError
from realface.core.map_kinds import MapKind
from realface.data.transforms import FaceTransform
from realface.evaluation.forgery_map import FaceMap, forgery_maps
from realface.models.outputs import Output

Precision = Literal["fp32", "bf16"]


class CropScorer:
    """A network that takes face crops of any size, resized as evaluation resizes them.

    Args:
        network: in eval mode, on `device`.
        input_size: height and width that the network is given, in pixels.
        batch_size: crops that go through at once.
        precision: `fp32`, or `bf16` for autocast to bfloat16.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        input_size: int,
        batch_size: int,
        device: torch.device,
        precision: Precision = "fp32",
    ) -> None:
        self._network = network
        self._transform = FaceTransform(input_size)
        self._device = device
        self._precision = precision
        self.batch_size = batch_size

    def prepare(self, crop: NDArray[np.uint8]) -> Tensor:
        """Return the network's input for a crop: (H, W, 3) RGB in, (3, S, S) in [0, 1] out."""
        return self._transform(crop)

    def score(self, faces: Sequence[Tensor]) -> list[float]:
        """Return the score of each prepared crop.

        Args:
            faces: (3, S, S) each, the network's inputs.

        Raises:
            ArtifactError: the network answers with something that is no number.
            DeviceError: the device's memory is too small for a batch.
        """
        scores = [score for output in self._outputs(faces) for score in output.score.tolist()]
        if not np.isfinite(scores).all():
            raise ArtifactError(
                "the network's score is not a number: its weights are damaged", hint="train or import it again"
            )
        return scores

    def maps(self, faces: Sequence[Tensor], kind: MapKind) -> list[FaceMap] | None:
        """Return a map over each prepared crop.

        Returns:
            For each crop (H, W), of the network's own height and width; None when the network has no such map.

        Raises:
            DeviceError: the device's memory is too small for a batch.
        """
        maps: list[FaceMap] = []
        for output in self._outputs(faces):
            drawn = forgery_maps(output, kind)
            if drawn is None:
                return None
            maps += drawn
        return maps

    def _outputs(self, faces: Sequence[Tensor]) -> Iterator[Output]:
        for start in range(0, len(faces), self.batch_size):
            batch = torch.stack(list(faces[start : start + self.batch_size]))
            try:
                with (
                    torch.inference_mode(),
                    torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16"),
                ):
                    output = self._network(batch.to(device=self._device, memory_format=torch.channels_last))
            except torch.OutOfMemoryError as error:
                raise DeviceError(
                    f"{self._device} has too little memory for {len(batch)} faces at once",
                    hint="give a smaller --batch-size",
                ) from error
            yield output
