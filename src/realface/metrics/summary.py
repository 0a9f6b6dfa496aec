"""The summary of a score table: every number with its interval, by frame and by video, in all and per method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realface.core.labels import Label
from realface.metrics import intervals
from realface.metrics.ranking import METRICS, measure, missing_class
from realface.metrics.score_table import ScoreTable

UNNAMED_METHOD = "(method not named)"
"""Where the fakes without a method stand."""
FEWEST_VIDEOS = 2
"""Videos of a class below which drawing them anew tells nothing."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, or the reason why there is none.

    Attributes:
        value: None when it cannot be computed.
        low: lower bound of the 95 % interval, None when there is none.
        high: upper bound.
        reason: why the value or the interval is missing; None when both are here.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None


@dataclass(frozen=True)
class Counts:
    """How many frames and videos of each class the numbers rest on."""

    real_frames: int
    fake_frames: int
    real_videos: int
    fake_videos: int


@dataclass(frozen=True)
class Numbers:
    """The metrics of one set of rows, by the names of `ranking.METRICS`.

    Attributes:
        frame: each row counts.
        video: each video counts, by the mean of its rows' scores.
        counts: what they rest on.
    """

    frame: Mapping[str, Estimate]
    video: Mapping[str, Estimate]
    counts: Counts


@dataclass(frozen=True)
class Summary:
    """All numbers of a score table.

    Attributes:
        overall: all fakes against all reals.
        per_method: the fakes of each method against all reals, in the order of the methods' names.
        threshold: scores from here up are called fake, in `accuracy`.
        num_resamples: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.
    """

    overall: Numbers
    per_method: Mapping[str, Numbers]
    threshold: float
    num_resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready mapping: `threshold`, `interval`, `frame`, `video`, `counts`, `per_method`."""
        return {
            "threshold": self.threshold,
            "interval": {
                "kind": intervals.DESCRIPTION,
                "level": intervals.LEVEL,
                "num_resamples": self.num_resamples,
                "seed": self.seed,
            },
            **asdict(self.overall),
            "per_method": {name: asdict(numbers) for name, numbers in self.per_method.items()},
        }


def summarise(table: ScoreTable, *, threshold: float, seed: int = 0, num_resamples: int = 1000) -> Summary:
    """Compute all numbers of a table of frames.

    Args:
        table: one row per frame.
        threshold: in [0, 1]; scores from here up are called fake. It comes from validation, never from this table.
        seed: of the bootstrap; the same seed gives the same intervals.
        num_resamples: of the bootstrap.

    Raises:
        MetricError: real and fake rows in one video.
    """
    methods = np.array([method or UNNAMED_METHOD for method in table.column("method")], dtype=object)
    is_fake = table.labels == Label.FAKE

    def numbers(rows: ScoreTable) -> Numbers:
        return _numbers(rows, threshold=threshold, seed=seed, num_resamples=num_resamples)

    return Summary(
        overall=numbers(table),
        per_method={
            method: numbers(table.select(~is_fake | (methods == method))) for method in sorted(set(methods[is_fake]))
        },
        threshold=threshold,
        num_resamples=num_resamples,
        seed=seed,
    )


def _numbers(table: ScoreTable, *, threshold: float, seed: int, num_resamples: int) -> Numbers:
    videos = table.video_level()
    counts = Counts(
        real_frames=int((table.labels == Label.REAL).sum()),
        fake_frames=int((table.labels == Label.FAKE).sum()),
        real_videos=int((videos.labels == Label.REAL).sum()),
        fake_videos=int((videos.labels == Label.FAKE).sum()),
    )

    def estimates(rows: ScoreTable) -> dict[str, Estimate]:
        return _estimates(rows, counts, threshold=threshold, seed=seed, num_resamples=num_resamples)

    return Numbers(frame=estimates(table), video=estimates(videos), counts=counts)


def _estimates(
    table: ScoreTable, counts: Counts, *, threshold: float, seed: int, num_resamples: int
) -> dict[str, Estimate]:
    if reason := missing_class(table.labels):
        return {name: Estimate(None, None, None, reason) for name in METRICS}
    values = measure(table.labels, table.scores, threshold=threshold)
    videos = {Label.REAL.word: counts.real_videos, Label.FAKE.word: counts.fake_videos}
    if reason := no_interval(videos, num_resamples):
        return {name: Estimate(values[name], None, None, reason) for name in METRICS}
    drawn = intervals.resample(
        table.labels,
        table.scores,
        table.video_numbers,
        threshold=threshold,
        num_resamples=num_resamples,
        seed=seed,
    )
    return {name: Estimate(values[name], *intervals.percentile_interval(drawn[name]), None) for name in METRICS}


def mean_with_interval(
    values: NDArray[np.float64], *, word: str, num_resamples: int, seed: int, unit: str = "video"
) -> Estimate:
    """The mean of values (V,), V > 0, each of a `unit` that is drawn anew, such as a video; `word` names its class."""
    mean = float(values.mean())
    if reason := no_interval({word: len(values)}, num_resamples, unit=unit):
        return Estimate(mean, None, None, reason)
    drawn = intervals.resampled_means(values, num_resamples=num_resamples, seed=seed)
    return Estimate(mean, *intervals.percentile_interval(drawn), None)


def no_interval(videos: Mapping[str, int], num_resamples: int, *, unit: str = "video") -> str | None:
    """Why no interval can be had from so many videos of each class, by its word, or None when it can."""
    if num_resamples < 1:
        return "no interval: no resamples were asked for"
    for word, count in videos.items():
        if count < FEWEST_VIDEOS:
            return f"no interval: only {count} {word} {unit}, at least {FEWEST_VIDEOS} are needed"
    return None
