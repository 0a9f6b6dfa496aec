"""A network inside another one, trained before by another method and frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class FrozenPart:
    """Where a method gets the frozen part of its network from: a masked autoencoder (MAE).

    The method's config has the MAE's config as `mae`. Its network has the MAE as `mae` and copies the weights of a
    trained one with `take_mae(mae)`.

    Attributes:
        method: name in the catalog of the method whose artifacts contain such an MAE.
        read: (network of such an artifact, where=its name in errors) -> the MAE; raises ModelInputError if it cannot
            be used.
        fingerprint: (MAE) -> hash of its weights.
    """

    method: str
    read: Callable[..., nn.Module]
    fingerprint: Callable[[Any], str]
