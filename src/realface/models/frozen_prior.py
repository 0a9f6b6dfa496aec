"""A network inside another one, trained before and by another method, and never trained there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class FrozenPrior:
    """Where a method gets its frozen prior from.

    Its network has the prior as `prior` and takes a trained one over by `take_prior(prior)`, and its config has the
    prior's config as `prior`. Its task and network take
    what was computed beforehand from the prior, the `residual` of each face.

    Attributes:
        method: name in the catalog of the method whose artifacts hold such a prior.
        read: (network of such an artifact, where=its name in errors) -> the prior; ModelInputError where it is of no
            use.
        fingerprint: the prior -> a hash of its weights.
    """

    method: str
    read: Callable[..., nn.Module]
    fingerprint: Callable[[Any], str]
