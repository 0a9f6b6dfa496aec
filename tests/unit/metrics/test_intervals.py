import numpy as np
import pytest

from realface.metrics import intervals
from realface.metrics.ranking import METRICS, measure


def build_scores(*, num_videos=30, frames=4, seed=0):
    """Half of the videos are fake; frames of one video resemble each other, and scores tie now and then."""
    generator = np.random.default_rng(seed)
    videos = np.repeat(np.arange(num_videos), frames)
    labels = (np.arange(num_videos) % 2)[videos]
    level = 0.4 + 0.2 * labels + generator.normal(0, 0.15, num_videos)[videos]
    scores = np.clip(level + generator.normal(0, 0.05, len(videos)), 0, 1).round(2)
    return labels, scores, videos


def resampled_by_hand(labels, scores, videos, *, num_resamples, seed):
    """Draw the same videos and measure the repeated frames with scikit-learn."""
    generator = np.random.default_rng(seed)
    for _ in range(num_resamples):
        rows = []
        for label in (0, 1):
            group = np.unique(videos[labels == label])
            drawn = group[generator.integers(len(group), size=len(group))]
            rows += [np.flatnonzero(videos == video) for video in drawn]
        rows = np.concatenate(rows)
        yield measure(labels[rows], scores[rows], threshold=0.5)


def test_every_metric_equals_scikit_learn_on_the_frames_of_the_drawn_videos():
    labels, scores, videos = build_scores()
    drawn = intervals.resample(labels, scores, videos, threshold=0.5, num_resamples=20, seed=7)
    for number, expected in enumerate(resampled_by_hand(labels, scores, videos, num_resamples=20, seed=7)):
        assert {name: drawn[name][number] for name in METRICS} == pytest.approx(expected)


def test_the_draws_do_not_depend_on_how_many_fit_in_memory(monkeypatch):
    labels, scores, videos = build_scores()
    whole = intervals.resample(labels, scores, videos, threshold=0.5, num_resamples=11, seed=1)
    monkeypatch.setattr(intervals, "WEIGHTS_AT_ONCE", 3 * len(labels))
    parts = intervals.resample(labels, scores, videos, threshold=0.5, num_resamples=11, seed=1)
    for name in METRICS:
        assert parts[name] == pytest.approx(whole[name], rel=1e-12)  # sums may round otherwise in another shape


def test_the_class_that_is_rare_is_in_every_resample():
    labels = np.array([1] + [1] + [0] * 50)
    drawn = intervals.resample(labels, labels * 0.5, np.arange(52), threshold=0.5, num_resamples=200, seed=0)
    assert (drawn["auc"] == 1.0).all()
    assert (drawn["accuracy"] == 1.0).all()


def test_frames_of_one_video_do_not_count_as_independent():
    labels, scores, videos = build_scores(num_videos=40, frames=10)
    by_video = intervals.resample(labels, scores, videos, threshold=0.5, num_resamples=300, seed=0)["auc"]
    alone = np.arange(len(videos))
    by_frame = intervals.resample(labels, scores, alone, threshold=0.5, num_resamples=300, seed=0)["auc"]
    assert by_video.std() > 2 * by_frame.std()


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    # fakes N(1, 1), reals N(0, 1): the true AUC is Phi(1 / sqrt 2) = 0.7602
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    covered = 0
    for seed in range(100):
        scores = 1 / (1 + np.exp(-generator.normal(labels, 1)))
        values = intervals.resample(labels, scores, np.arange(120), threshold=0.5, num_resamples=200, seed=seed)["auc"]
        low, high = intervals.percentile_interval(values)
        covered += low <= 0.7602 <= high
    assert 88 <= covered <= 99


def test_the_percentile_interval_cuts_both_tails():
    assert intervals.percentile_interval(np.arange(101.0), level=0.9) == pytest.approx((5.0, 95.0))
