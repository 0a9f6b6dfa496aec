"""A detection method in a package of its own: a small classifier of the fine detail of a face.

Install it with `pip install ./examples/method`. Realface finds `METHOD` through the entry point in `pyproject.toml`,
so `method: {name: highpass}` works in a recipe, and the trained detector works in `evaluate` and `detect`.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from realface.models.config import MethodConfig
from realface.models.method import Method
from realface.models.outputs import Gather, Output, StepResult, local_rows


class HighpassConfig(MethodConfig):
    """The `method:` section of a recipe that trains this method."""

    name: Literal["highpass"] = Field("highpass", description="`highpass`")
    input_size: int = Field(64, ge=16, description="height and width to which crops are resized, in pixels")
    width: int = Field(16, ge=1, description="channels of the convolutions")


class Highpass(nn.Module):
    """Classify what is left of a face after the local mean is subtracted.

    Args:
        config: of the method. The network must keep it as `config`.
    """

    def __init__(self, config: HighpassConfig) -> None:
        super().__init__()
        self.config = config
        self.features = nn.Sequential(
            nn.Conv2d(3, config.width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(config.width, config.width, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(config.width, 1)

    def forward(self, image: Tensor) -> Output:
        """Classify faces.

        Args:
            image: (B, 3, H, W) in [0, 1]. A network normalises its input itself.

        Returns:
            Logits (B,), > 0 = fake.
        """
        detail = image - F.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)
        feature = self.features(10 * detail).mean(dim=(2, 3))
        return Output(self.classifier(feature).squeeze(1))


class HighpassTask(nn.Module):
    """One training step.

    Args:
        network: the network to train. The task must keep it as `network`.
        gather: collects values of all processes; by default each process has its own loss.
    """

    def __init__(self, network: Highpass, *, gather: Gather = local_rows) -> None:
        super().__init__()
        self.network = network
        self._gather = gather

    def forward(self, image: Tensor, label: Tensor) -> StepResult:
        """Compute the loss of a batch.

        Args:
            image: (B, 3, H, W) in [0, 1].
            label: (B,) int64, 1 = fake.
        """
        output: Output = self.network(image)
        with torch.autocast(image.device.type, enabled=False):
            logit, target = self._gather(output.logit.float()), self._gather(label)
            loss = F.binary_cross_entropy_with_logits(logit, target.float())
        return StepResult(loss, {"classification": loss.detach()}, output)


METHOD = Method(
    name="highpass",
    summary="an example: a small classifier of the fine detail of a face",
    config_type=HighpassConfig,
    build_network=Highpass,
    build_task=HighpassTask,
)
