"""Median, minimum and maximum of repeated timings."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TypedDict


class TimingStats(TypedDict):
    """Statistics of one measurement over the repeats of a benchmark, ready for JSON.

    Attributes:
        median: median of the repeats.
        min: smallest value.
        max: largest value.
    """

    median: float
    min: float
    max: float


def summarise(values: Sequence[float]) -> TimingStats:
    """Return the median, minimum and maximum of the measured values.

    Args:
        values: one value per repeat, at least one.
    """
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def format_stats(stats: Mapping[str, float], number_format: str) -> str:
    """Return the statistics as text, such as "0.51  (0.49 - 0.55)".

    Args:
        stats: `TimingStats`, possibly read from a JSON file.
        number_format: format of each number, such as `8.3f`.
    """
    return f"{stats['median']:{number_format}}  ({stats['min']:{number_format}} - {stats['max']:{number_format}})"
