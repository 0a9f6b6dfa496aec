"""The summary of a score table: every metric with its interval, by frame and by video, overall and per method."""

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
"""Name of the group of fakes without a method."""
FEWEST_VIDEOS = 2
"""Smallest number of videos per class for which bootstrap intervals are computed."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, or the reason for a missing value or interval.

    Attributes:
        value: the number; None if it cannot be computed.
        low: lower bound of the 95 % interval; None without an interval.
        high: upper bound of the 95 % interval; None without an interval.
        reason: explanation of a missing value or interval; None if both are present.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None


@dataclass(frozen=True)
class Counts:
    """Numbers of frames and videos of each class that a summary is computed from.

    Attributes:
        real_frames: number of rows with real faces.
        fake_frames: number of rows with fakes.
        real_videos: number of videos of real faces; a row without a video counts as one.
        fake_videos: number of videos of fakes; a row without a video counts as one.
        unnamed_frames: number of rows without a video.
    """

    real_frames: int
    fake_frames: int
    real_videos: int
    fake_videos: int
    unnamed_frames: int = 0

    @property
    def unit(self) -> str:
        """Unit that counts once at video level: `video`, or `crop` if every row is without a video."""
        return "crop" if self.unnamed_frames == self.real_frames + self.fake_frames > 0 else "video"

    @property
    def drawn(self) -> str:
        """Description of the units that the bootstrap draws."""
        if self.unit == "crop":
            return "single crops, because no crop has a video"
        return "whole videos and crops without a video" if self.unnamed_frames else "whole videos"


@dataclass(frozen=True)
class Numbers:
    """The metrics of one set of rows, by the names of `ranking.METRICS`.

    Attributes:
        frame: metrics over rows.
        video: metrics over videos, each scored by the mean of its rows' scores. They have no intervals if rows without
            a video exist: such a row counts as a video, so the interval would be an interval over frames.
        counts: number of frames and videos of each class.
    """

    frame: Mapping[str, Estimate]
    video: Mapping[str, Estimate]
    counts: Counts


@dataclass(frozen=True)
class Summary:
    """All metrics of a score table.

    Attributes:
        overall: metrics of all fakes against all reals.
        per_method: metrics of each method's fakes against all reals, sorted by the method's name.
        threshold: lowest score that `accuracy` calls fake, in [0, 1].
        num_resamples: number of bootstrap resamples; 0 disables intervals.
        seed: seed of the bootstrap.
    """

    overall: Numbers
    per_method: Mapping[str, Numbers]
    threshold: float
    num_resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: `threshold`, `interval`, `frame`, `video`, `counts`, `per_method`."""
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
    """Compute all metrics of a table of frames.

    Args:
        table: one row per frame.
        threshold: lowest score that is called fake, in [0, 1]. Choose it on validation data, never on this table.
        seed: seed of the bootstrap; the same seed gives the same intervals.
        num_resamples: number of bootstrap resamples; 0 disables intervals.

    Raises:
        MetricError: a video has both real and fake rows.

    Example:
        >>> table = ScoreTable.from_columns(path=["a.png", "b.png"], label=[0, 1], score=[0.1, 0.9])
        >>> summarise(table, threshold=0.5, num_resamples=0).overall.frame["auc"].value
        1.0
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
    """Return the mean of one value per video, with its bootstrap interval.

    Args:
        values: (V,), V >= 1, one per unit.
        word: name of the units' class, used in the reason for a missing interval.
        num_resamples: number of bootstrap resamples; 0 disables the interval.
        seed: seed of the bootstrap.
        unit: name of the unit that the bootstrap draws, such as `video`.
    """
    mean = float(values.mean())
    if reason := no_interval({word: len(values)}, num_resamples, unit=unit):
        return Estimate(mean, None, None, reason)
    drawn = intervals.resampled_means(values, num_resamples=num_resamples, seed=seed)
    return Estimate(mean, *intervals.percentile_interval(drawn), None)


def no_video_interval(num_unnamed: int, num_crops: int) -> str | None:
    """Return the reason why crops without a video prevent an interval over videos; None without such crops."""
    if not num_unnamed:
        return None
    few = "no crop has a video" if num_unnamed == num_crops else f"{num_unnamed} of {num_crops} crops have no video"
    return f"no interval over videos: {few}, so each of these crops counts as one video"


def no_interval(videos: Mapping[str, int], num_resamples: int, *, unit: str = "video") -> str | None:
    """Return the reason for a missing interval, or None if an interval can be computed.

    Args:
        videos: number of videos of each class, by the word for the class.
        num_resamples: number of bootstrap resamples.
        unit: name of the unit that the bootstrap draws.
    """
    if num_resamples < 1:
        return "no interval: the number of resamples is 0"
    for word, count in videos.items():
        if count < FEWEST_VIDEOS:
            return f"no interval: only {count} {word} {unit}, at least {FEWEST_VIDEOS} are needed"
    return None
