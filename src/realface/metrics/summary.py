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
    """How many frames and videos of each class the numbers rest on.

    Attributes:
        real_frames: rows of real faces.
        fake_frames: rows of fakes.
        real_videos: their videos; a row that names no video counts as one.
        fake_videos: the same of the fakes.
        unnamed_frames: rows that name no video.
    """

    real_frames: int
    fake_frames: int
    real_videos: int
    fake_videos: int
    unnamed_frames: int = 0

    @property
    def unit(self) -> str:
        """What counts once at the level of videos: `video`, or `crop` if no row names its video."""
        return "crop" if self.unnamed_frames == self.real_frames + self.fake_frames > 0 else "video"

    @property
    def drawn(self) -> str:
        """What the bootstrap draws."""
        if self.unit == "crop":
            return "single crops, because none names its video"
        return "whole videos and crops that name no video" if self.unnamed_frames else "whole videos"


@dataclass(frozen=True)
class Numbers:
    """The metrics of one set of rows, by the names of `ranking.METRICS`.

    Attributes:
        frame: each row counts.
        video: each video counts, by the mean of its rows' scores. Without an interval if rows name no video: such a row
            counts as a video, and an interval over them would be one over frames.
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
                "kind": intervals.DESCRIPTION.format(drawn=self.overall.counts.drawn),
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
        unnamed_frames=table.num_unnamed,
    )

    def estimates(rows: ScoreTable, no_interval: str | None) -> dict[str, Estimate]:
        return _estimates(rows, no_interval, threshold=threshold, seed=seed, num_resamples=num_resamples)

    num_videos = {Label.REAL.word: counts.real_videos, Label.FAKE.word: counts.fake_videos}
    too_few = no_interval(num_videos, num_resamples, unit=counts.unit)
    unnamed = no_video_interval(counts.unnamed_frames, len(table))
    return Numbers(frame=estimates(table, too_few), video=estimates(videos, unnamed or too_few), counts=counts)


def _estimates(
    table: ScoreTable, no_interval: str | None, *, threshold: float, seed: int, num_resamples: int
) -> dict[str, Estimate]:
    if reason := missing_class(table.labels):
        return {name: Estimate(None, None, None, reason) for name in METRICS}
    values = measure(table.labels, table.scores, threshold=threshold)
    if reason := no_interval:
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


def no_video_interval(num_unnamed: int, num_crops: int) -> str | None:
    """Why no interval over videos can be had if so many of the crops name no video; None if all name one."""
    if not num_unnamed:
        return None
    few = "no crop names its video" if num_unnamed == num_crops else f"{num_unnamed} of {num_crops} crops name no video"
    return f"no interval over videos: {few}, and each of these counts as its own"


def no_interval(videos: Mapping[str, int], num_resamples: int, *, unit: str = "video") -> str | None:
    """Why no interval can be had from so many videos of each class, by its word, or None when it can."""
    if num_resamples < 1:
        return "no interval: no resamples were asked for"
    for word, count in videos.items():
        if count < FEWEST_VIDEOS:
            return f"no interval: only {count} {word} {unit}, at least {FEWEST_VIDEOS} are needed"
    return None
