import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from realface.metrics.ranking import METRICS
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import UNNAMED_METHOD, Counts, Estimate, mean_with_interval, summarise


def build_table(methods=("FaceSwap", "NeuralTextures"), *, num_videos=6, frames=3, seed=0):
    """`num_videos` reals and as many fakes per method, all with the same bare video names."""
    generator = np.random.default_rng(seed)
    rows = [
        (method, video, frame) for method in (None, *methods) for video in range(num_videos) for frame in range(frames)
    ]
    return ScoreTable.from_columns(
        path=[f"{method}/{video}/{frame}.png" for method, video, frame in rows],
        label=[int(method is not None) for method, _, _ in rows],
        method=[method for method, _, _ in rows],
        video=[f"{video:03}" for _, video, _ in rows],
        score=np.clip(generator.normal([0.4 + 0.2 * (m is not None) for m, _, _ in rows], 0.2), 0, 1),
    )


def test_a_methods_fakes_are_measured_against_all_reals():
    table = build_table()
    summary = summarise(table, threshold=0.5, num_resamples=10)
    chosen = np.array([method in (None, "FaceSwap") for method in table.column("method")])
    expected = roc_auc_score(table.labels[chosen], table.scores[chosen])
    assert list(summary.per_method) == ["FaceSwap", "NeuralTextures"]
    assert summary.per_method["FaceSwap"].frame["auc"].value == pytest.approx(expected)
    assert summary.per_method["FaceSwap"].counts.fake_videos == 6
    assert summary.per_method["FaceSwap"].counts.real_frames == 18


def test_the_video_numbers_come_from_mean_scores():
    table = build_table()
    means = table.scores.reshape(-1, 3).mean(axis=1)
    expected = roc_auc_score([0] * 6 + [1] * 12, means)
    summary = summarise(table, threshold=0.5, num_resamples=10)
    assert summary.overall.video["auc"].value == pytest.approx(expected)
    assert summary.overall.counts.fake_videos == 12


def test_the_interval_surrounds_the_value_and_the_seed_decides_it():
    table = build_table()
    first, again, other = (summarise(table, threshold=0.5, seed=seed, num_resamples=100) for seed in (0, 0, 1))
    estimate = first.overall.frame["auc"]
    assert estimate.low < estimate.value < estimate.high
    assert first == again
    assert first.overall.frame["auc"].low != other.overall.frame["auc"].low


@pytest.mark.parametrize(("label", "word"), [(0, "only reals here; fakes are needed too"), (1, "only fakes here")])
def test_one_class_gives_the_reason_instead_of_a_number(label, word):
    table = ScoreTable.from_columns(path=["a", "b"], label=[label] * 2, score=[0.1, 0.9])
    summary = summarise(table, threshold=0.5)
    for name in METRICS:
        estimate = summary.overall.video[name]
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        assert word in estimate.reason


def test_an_empty_table_gives_the_reason():
    summary = summarise(ScoreTable.concatenate([]), threshold=0.5)
    assert "no rows" in summary.overall.frame["auc"].reason
    assert summary.per_method == {}


def test_one_video_of_a_class_gives_a_value_without_an_interval():
    table = ScoreTable.from_columns(path=["a", "b", "c"], label=[0, 1, 1], video=["x", "y", "z"], score=[0.1, 0.9, 0.8])
    estimate = summarise(table, threshold=0.5).overall.video["auc"]
    assert estimate == Estimate(1.0, None, None, "no interval: only 1 real video, at least 2 are needed")


def test_a_mean_of_persons_has_the_bootstraps_interval_and_says_why_it_has_none():
    mean = mean_with_interval(np.array([1.0, 3.0]), word="real", unit="person", num_resamples=200, seed=0)
    assert mean == Estimate(2.0, 1.0, 3.0, None)  # a quarter of the draws each: twice 1, twice 3
    alone = mean_with_interval(np.array([1.0]), word="real", unit="person", num_resamples=200, seed=0)
    assert alone == Estimate(1.0, None, None, "no interval: only 1 real person, at least 2 are needed")


def test_no_resamples_give_no_interval():
    estimate = summarise(build_table(), threshold=0.5, num_resamples=0).overall.video["auc"]
    assert estimate.reason == "no interval: the number of resamples is 0"


def test_fakes_without_a_method_stand_under_a_name_that_says_so():
    table = ScoreTable.from_columns(path=["a", "b"], label=[0, 1], score=[0.1, 0.9])
    assert list(summarise(table, threshold=0.5).per_method) == [UNNAMED_METHOD]


def test_the_json_names_threshold_interval_counts_and_every_metric():
    document = json.loads(json.dumps(summarise(build_table(), threshold=0.3, num_resamples=10).to_json()))
    assert document["threshold"] == 0.3
    assert document["interval"]["num_resamples"] == 10
    counts = {"real_frames": 18, "fake_frames": 36, "real_videos": 6, "fake_videos": 12, "unnamed_frames": 0}
    assert document["counts"] == counts
    assert document["interval"]["kind"] == "percentile bootstrap over whole videos, reals and fakes drawn separately"
    assert set(document["video"]) == set(document["per_method"]["FaceSwap"]["frame"]) == set(METRICS)
    assert set(document["frame"]["auc"]) == {"value", "low", "high", "reason"}


def build_unnamed(videos):
    return ScoreTable.from_columns(
        path=[str(n) for n in range(8)],
        label=[0, 0, 0, 0, 1, 1, 1, 1],
        method=[None] * 4 + ["Swap"] * 4,
        video=pa.array(videos, pa.string()),
        score=[0.1, 0.5, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7],
    )


def test_rows_without_video_names_have_no_interval_by_video():
    summary = summarise(build_unnamed([None] * 8), threshold=0.5, num_resamples=20)
    reason = "no interval over videos: no crop has a video, so each of these crops counts as one video"
    for numbers in (summary.overall, summary.per_method["Swap"]):
        assert numbers.counts == Counts(4, 4, 4, 4, unnamed_frames=8)
        assert numbers.counts.unit == "crop"
        assert numbers.video["auc"] == Estimate(15 / 16, None, None, reason)
        assert (numbers.frame["auc"].value, numbers.frame["auc"].reason) == (15 / 16, None)
        assert numbers.frame["auc"].low < 15 / 16
    drawn = "percentile bootstrap over single crops, because no crop has a video, reals and fakes drawn separately"
    assert summary.to_json()["interval"]["kind"] == drawn


def test_a_few_rows_without_video_names_take_the_interval_by_video_too():
    summary = summarise(build_unnamed(["a", "a", "b", "b", "c", "c", None, None]), threshold=0.5, num_resamples=20)
    assert summary.overall.counts == Counts(4, 4, 2, 3, unnamed_frames=2)
    assert summary.overall.counts.unit == "video"
    estimate = summary.overall.video["auc"]
    reason = "no interval over videos: 2 of 8 crops have no video, so each of these crops counts as one video"
    assert estimate == Estimate(1.0, None, None, reason)
    assert summary.to_json()["interval"]["kind"] == (
        "percentile bootstrap over whole videos and crops without a video, reals and fakes drawn separately"
    )


def test_too_few_crops_that_name_no_video_are_called_crops():
    table = build_unnamed([None] * 8).select(np.array([0, 4, 5]))
    estimate = summarise(table, threshold=0.5).overall.frame["auc"]
    assert estimate.reason == "no interval: only 1 real crop, at least 2 are needed"
