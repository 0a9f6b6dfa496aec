"""Keep functions out of `torch.compile`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import torch

P = ParamSpec("P")
R = TypeVar("R")


def eager(function: Callable[P, R]) -> Callable[P, R]:
    """Keep a function out of `torch.compile`.

    Use it for a function that draws random numbers, because compiled code draws them from another stream, or for a
    function whose work depends on values, because it would be compiled again and again.
    """
    return cast("Callable[P, R]", torch.compiler.disable(function))  # type: ignore[no-untyped-call]
