"""Several timings of one thing in three numbers."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most; `values` must not be empty."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def show_spread(values: Mapping[str, float], form: str) -> str:
    """A spread as text, median first, each number in the format `form`, such as `8.3f`."""
    return f"{values['median']:{form}}  ({values['min']:{form}} - {values['max']:{form}})"
