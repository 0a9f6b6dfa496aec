"""Functions that stay as they are written where the code around them is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import torch

P = ParamSpec("P")
R = TypeVar("R")


def eager(function: Callable[P, R]) -> Callable[P, R]:
    """Keep a function out of `torch.compile`.

    For one that draws random numbers, which compiled code draws from another stream, or whose work depends on values,
    which would be compiled again and again.
    """
    return cast("Callable[P, R]", torch.compiler.disable(function))  # type: ignore[no-untyped-call]
