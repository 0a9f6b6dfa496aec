"""Localisation: agreement of an error map with the manipulation mask, and its size in fakes and in reals.

A crop's numbers are averaged over its video, and the videos' numbers over the videos, so a long video counts no more
than a short video. Intervals come from a bootstrap over whole videos.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from realface.core.labels import Label
from realface.metrics import intervals
from realface.metrics.ranking import auc
from realface.metrics.summary import UNNAMED_METHOD, Estimate, mean_with_interval, no_interval, no_video_interval

NO_CROP = "no fake crop whose mask has both manipulated and untouched pixels"
NO_PAIR = "no real crop of a measured fake's original"

_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("method", pa.string()),
        pa.field("video", pa.string(), nullable=False),
        pa.field("pixel_auc", pa.float64(), nullable=False),
        pa.field("iou", pa.float64(), nullable=False),
        pa.field("chance_iou", pa.float64(), nullable=False),
        pa.field("mean_error", pa.float64(), nullable=False),
        pa.field("real_path", pa.string()),
        pa.field("real_video", pa.string()),
        pa.field("real_mean_error", pa.float64()),
        pa.field("names_video", pa.bool_(), nullable=False),
    ]
)


def pixel_auc(error_map: NDArray[np.floating], is_forged: NDArray[np.bool_]) -> float:
    """Return the chance that a manipulated pixel has a larger error than an untouched pixel; ties count one half.

    This is the area under the ROC curve over the crop's pixels. scikit-learn computes the same value, but takes several
    times as long on the 90,000 pixels of each of many crops.

    Args:
        error_map: (H, W), finite, on any scale.
        is_forged: (H, W), true at manipulated pixels; both kinds of pixels present.
    """
    untouched, forged = np.sort(error_map[~is_forged]), np.sort(error_map[is_forged])
    below = np.searchsorted(untouched, forged, side="left")
    not_above = np.searchsorted(untouched, forged, side="right")
    return float((below + not_above).mean() / 2 / len(untouched))


def iou_at_equal_area(error_map: NDArray[np.floating], is_forged: NDArray[np.bool_]) -> float:
    """Return the intersection over union of the mask and an equal number of pixels with the largest errors.

    The equal area replaces a threshold. Pixels that tie at the edge of the area count by the share of them that fits
    into it.

    Args:
        error_map: (H, W), finite, on any scale.
        is_forged: (H, W), true at manipulated pixels; at least one pixel true.
    """
    area = int(is_forged.sum())
    edge = np.partition(error_map, error_map.size - area, axis=None)[error_map.size - area]
    above, at_edge = error_map > edge, error_map == edge
    share = (area - above.sum()) / at_edge.sum()
    shared = is_forged[above].sum() + share * is_forged[at_edge].sum()
    return float(shared / (2 * area - shared))


def chance_iou(is_forged: NDArray[np.bool_]) -> float:
    """Return `iou_at_equal_area` of a constant map: p / (2 - p), where p is the share of manipulated pixels.

    Args:
        is_forged: (H, W), true at manipulated pixels.
    """
    share = float(is_forged.mean())
    return share / (2 - share)


@dataclass(frozen=True)
class MeasuredCrop:
    """Measurements on one fake crop with a mask.

    Attributes:
        path: file of the crop.
        method: manipulation method; None if unknown.
        video: unique name of the crop's video.
        pixel_auc: `pixel_auc` of the error map, in [0, 1].
        iou: `iou_at_equal_area` of the error map, in [0, 1].
        chance_iou: `iou_at_equal_area` of a constant map, in [0, 1].
        mean_error: mean of the error map over the manipulated pixels.
        real_path: file of the real crop to compare with; None without a real crop.
        real_video: unique name of the real crop's video.
        real_mean_error: mean of the real crop's error map over the same pixels.
        names_video: whether the crop's row has a video; otherwise the crop counts as one.
    """

    path: str
    method: str | None
    video: str
    pixel_auc: float
    iou: float
    chance_iou: float
    mean_error: float
    real_path: str | None = None
    real_video: str | None = None
    real_mean_error: float | None = None
    names_video: bool = True


def write_measured(crops: Sequence[MeasuredCrop], path: Path) -> None:
    """Write one row per crop to a Parquet file; every localisation metric can be recomputed from the file."""
    pa.parquet.write_table(pa.Table.from_pylist([asdict(crop) for crop in crops], schema=_SCHEMA), path)


@dataclass(frozen=True)
class ErrorInside:
    """The mean error inside the mask, in fakes and over the same pixels of their originals.

    Attributes:
        fake: mean over the fake videos.
        real: mean over the real videos.
        difference: mean difference between a fake video and its original, over the fake videos that have an original.
        auc: chance that a random fake video has a larger error than a random real video.
        num_real_videos: number of real videos in the comparison.
    """

    fake: Estimate
    real: Estimate
    difference: Estimate
    auc: Estimate
    num_real_videos: int


@dataclass(frozen=True)
class LocalisationNumbers:
    """Localisation metrics of one set of fakes.

    Attributes:
        pixel_auc: `pixel_auc`, mean over the videos.
        iou: `iou_at_equal_area`, mean over the videos.
        chance_iou: `iou_at_equal_area` of a constant map, mean over the videos.
        error_inside: mean error inside the mask, fakes against reals.
        num_crops: number of fake crops measured.
        num_videos: number of fake videos measured; a crop without a video counts as one.
        num_unnamed: number of fake crops without a video; intervals are omitted if it is not 0.
    """

    pixel_auc: Estimate
    iou: Estimate
    chance_iou: Estimate
    error_inside: ErrorInside
    num_crops: int
    num_videos: int
    num_unnamed: int = 0


@dataclass(frozen=True)
class Localisation:
    """All localisation metrics.

    Attributes:
        overall: metrics of all fakes with masks.
        per_method: metrics of each method's fakes, sorted by the method's name.
        left_out: number of fake crops with an unusable mask, by reason.
    """

    overall: LocalisationNumbers
    per_method: Mapping[str, LocalisationNumbers]
    left_out: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)


def summarise_localisation(
    crops: Sequence[MeasuredCrop], *, left_out: Mapping[str, int], num_resamples: int = 1000, seed: int = 0
) -> Localisation:
    """Compute all localisation metrics.

    Args:
        crops: measurements, one per fake crop.
        left_out: number of fake crops with an unusable mask, by reason.
        num_resamples: number of bootstrap resamples; 0 disables intervals.
        seed: seed of the bootstrap.
    """

    def numbers(chosen: Sequence[MeasuredCrop]) -> LocalisationNumbers:
        return _numbers(chosen, num_resamples=num_resamples, seed=seed)

    methods = sorted({crop.method or UNNAMED_METHOD for crop in crops})
    return Localisation(
        overall=numbers(crops),
        per_method={
            method: numbers([crop for crop in crops if (crop.method or UNNAMED_METHOD) == method]) for method in methods
        },
        left_out=dict(left_out),  # of a Counter, `asdict` makes nonsense
    )


def _numbers(crops: Sequence[MeasuredCrop], *, num_resamples: int, seed: int) -> LocalisationNumbers:
    num_unnamed = sum(not crop.names_video for crop in crops)
    unnamed = no_video_interval(num_unnamed, len(crops))

    def mean(per_video: NDArray[np.float64], *, label: Label = Label.FAKE, reason: str = NO_CROP) -> Estimate:
        of_videos = _mean_of_videos(per_video, label=label, reason=reason, num_resamples=num_resamples, seed=seed)
        return _without_interval(of_videos, unnamed)

    inside = _by_video((crop.video, crop.mean_error) for crop in crops)
    pairs = [
        (crop.video, crop.real_video, crop.mean_error, crop.real_mean_error)
        for crop in crops
        if crop.real_video is not None and crop.real_mean_error is not None
    ]
    real_inside = _by_video((real_video, real) for _, real_video, _, real in pairs)
    return LocalisationNumbers(
        pixel_auc=mean(_by_video((crop.video, crop.pixel_auc) for crop in crops)),
        iou=mean(_by_video((crop.video, crop.iou) for crop in crops)),
        chance_iou=mean(_by_video((crop.video, crop.chance_iou) for crop in crops)),
        error_inside=ErrorInside(
            fake=mean(inside),
            real=mean(real_inside, label=Label.REAL, reason=NO_PAIR),
            difference=mean(_by_video((video, fake - real) for video, _, fake, real in pairs), reason=NO_PAIR),
            auc=_without_interval(_auc_of_videos(real_inside, inside, num_resamples=num_resamples, seed=seed), unnamed),
            num_real_videos=len(real_inside),
        ),
        num_crops=len(crops),
        num_videos=len(inside),
        num_unnamed=num_unnamed,
    )


def _without_interval(estimate: Estimate, reason: str | None) -> Estimate:
    """Return the estimate, without its interval if there is a reason for that."""
    return estimate if reason is None or estimate.value is None else Estimate(estimate.value, None, None, reason)


def _by_video(values: Iterable[tuple[str, float]]) -> NDArray[np.float64]:
    """(V,): the mean of each video's values, in order of first appearance."""
    of_video: dict[str, list[float]] = {}
    for video, value in values:
        of_video.setdefault(video, []).append(value)
    return np.array([np.mean(own) for own in of_video.values()])


def _mean_of_videos(
    per_video: NDArray[np.float64], *, label: Label, reason: str, num_resamples: int, seed: int
) -> Estimate:
    if len(per_video) == 0:
        return Estimate(None, None, None, reason)
    return mean_with_interval(per_video, word=label.word, num_resamples=num_resamples, seed=seed)


def _auc_of_videos(
    reals: NDArray[np.float64], fakes: NDArray[np.float64], *, num_resamples: int, seed: int
) -> Estimate:
    if len(fakes) == 0 or len(reals) == 0:
        return Estimate(None, None, None, NO_PAIR if len(fakes) else NO_CROP)
    labels = np.repeat(np.array([Label.REAL, Label.FAKE], dtype=np.int64), [len(reals), len(fakes)])
    errors = np.concatenate([reals, fakes])
    ranks = np.unique(errors, return_inverse=True)[1] / len(errors)  # the same order, in [0, 1)
    value = auc(labels, ranks)
    if missing := no_interval({Label.REAL.word: len(reals), Label.FAKE.word: len(fakes)}, num_resamples):
        return Estimate(value, None, None, missing)
    drawn = intervals.resample(
        labels, ranks, np.arange(len(labels)), threshold=0.5, num_resamples=num_resamples, seed=seed
    )
    return Estimate(value, *intervals.percentile_interval(drawn["auc"]), None)
