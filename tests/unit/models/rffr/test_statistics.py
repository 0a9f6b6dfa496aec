import math

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from realface.models.rffr.statistics import RealStatistics

NUM_FACES = 400
NUM_BLOCKS = 4


def real_differences(num_faces=NUM_FACES, num_blocks=NUM_BLOCKS):
    """(faces, blocks), log-normal about 0.05; blocks of a face resemble one another."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(num_faces, 1)), rng.normal(size=(num_faces, num_blocks))
    return torch.from_numpy(0.05 * np.exp(0.3 * common + 0.2 * own))


def fitted(differences=None):
    """In the precision of the differences, float64 by default, which leaves no doubt about what is rounding."""
    differences = real_differences() if differences is None else differences
    statistics = RealStatistics(differences.shape[1]).to(differences.dtype)
    statistics.fit(differences)
    return statistics


def scores(statistics, differences):
    return statistics.logit(differences).sigmoid()


def along_a_line(statistics, num=400, last=3.0):
    """Differences of faces that lie ever further from the mean, from it on, all blocks changing alike."""
    steps = torch.linspace(0, last, num, dtype=torch.float64)[:, None]
    return (statistics.mean + steps).exp() - 1e-4


def test_the_distance_is_that_of_mahalanobis_with_a_shrunk_covariance():
    reals = real_differences()
    features = np.log(reals.numpy() + 1e-4)
    estimate = LedoitWolf().fit(features)
    others = torch.tensor([[0.05, 0.05, 0.05, 0.05], [0.2, 0.05, 0.01, 0.05]], dtype=torch.float64)
    away = np.log(others.numpy() + 1e-4) - estimate.location_
    expected = [math.sqrt(row @ np.linalg.inv(estimate.covariance_) @ row / NUM_BLOCKS) for row in away]
    assert fitted(reals).distance(others).tolist() == pytest.approx(expected, rel=1e-9)


def test_the_score_is_the_share_of_real_faces_that_surprise_less():
    reals = real_differences()
    statistics = fitted(reals)
    distances = statistics.distance(reals).numpy()
    shares = (distances[None] < distances[:, None]).mean(1)
    inner = shares < 0.9
    got = scores(statistics, reals).numpy()
    assert np.abs(got - shares)[inner].max() <= 1 / 200 + 1 / NUM_FACES
    assert np.abs(got - shares)[~inner].max() <= 0.03  # the tail is a curve, and follows them loosely


def test_a_tenth_of_the_real_faces_lies_in_the_tail():
    reals = real_differences()
    assert (scores(fitted(reals), reals) > 0.9).float().mean().item() == pytest.approx(0.1, abs=1 / NUM_FACES)


def test_the_tail_falls_with_the_square_of_the_distance_from_its_start():
    # one block, whose feature is its distance: the tail starts at 2 and has a mean excess of 0.5
    statistics = RealStatistics(1).double()
    statistics.quantiles.copy_(torch.linspace(0, 2 / 0.9, 201, dtype=torch.float64))
    statistics.tail_scale.fill_(0.5)
    distances = torch.tensor([2.0, 2.5, 3.0, 6.5], dtype=torch.float64)
    expected = [0.9, 1 - 0.1 / 2**2, 1 - 0.1 / 3**2, 1 - 0.1 / 10**2]
    assert scores(statistics, (distances.exp() - 1e-4)[:, None]).tolist() == pytest.approx(expected, abs=1e-9)


def test_the_tails_scale_is_the_mean_excess_of_the_real_faces_in_it():
    reals = real_differences()
    statistics = fitted(reals)
    distances = statistics.distance(reals).numpy()
    start = np.quantile(distances, 0.9)
    assert statistics.tail_scale.item() == pytest.approx((distances[distances > start] - start).mean(), rel=1e-8)


def test_the_score_rises_with_the_distance_also_where_the_tail_starts():
    statistics = fitted()
    line = along_a_line(statistics)
    distance, score = statistics.distance(line), scores(statistics, line)
    assert (distance.diff() > 0).all()
    assert (score.diff() >= 0).all()
    moving = (score > 0.01) & (score < 0.999)
    assert (score[moving].diff() > 0).all()
    around = (distance - statistics.quantiles[180]).abs().argmin()
    assert score[around - 1 : around + 2].tolist() == pytest.approx([0.9] * 3, abs=0.05)


def test_a_residual_can_be_suspiciously_small_too():
    assert scores(fitted(), torch.full((1, NUM_BLOCKS), 1e-4).double()).item() > 0.95


def test_no_difference_gives_a_score_of_0_or_1_or_none():
    extremes = torch.tensor([0.0, 1e-30, 0.05, 1.0, 1e3, 1e10, 1e30])[:, None].expand(-1, NUM_BLOCKS)
    statistics = fitted(real_differences().float())
    got = scores(statistics, torch.cat([extremes, statistics.mean.exp()[None] - 1e-4]))
    assert got.dtype == torch.float32
    assert ((got > 0) & (got < 1)).all()


def test_faces_far_beyond_the_real_ones_are_still_told_apart():
    # differences of a tenth, a third and all of the range, where real faces have a hundredth
    statistics = fitted(0.2 * real_differences())
    differences = torch.tensor([0.1, 0.3, 1.0], dtype=torch.float64)
    low, middle, high = scores(statistics, differences[:, None].expand(-1, NUM_BLOCKS)).tolist()
    assert low < middle < high


def test_real_faces_that_are_all_the_same_make_a_score_nevertheless():
    same = torch.full((20, NUM_BLOCKS), 0.05).double()
    statistics = fitted(same)
    assert scores(statistics, same).unique().tolist() == pytest.approx([0.5 / 200])
    assert 0.99 < scores(statistics, 2 * same[:1]).item() < 1


def test_the_most_surprising_real_faces_may_be_the_same_one():
    # then none lies beyond the last tenth's start
    reals = torch.cat([real_differences(17), torch.full((3, NUM_BLOCKS), 5.0).double()])
    statistics = fitted(reals)
    assert scores(statistics, reals).isfinite().all()
    assert 0.9 < scores(statistics, torch.full((1, NUM_BLOCKS), 9.0).double()).item() < 1


def test_half_precision_around_it_changes_nothing():
    reals = real_differences().float()
    statistics = fitted(reals)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(fitted(reals).quantiles, statistics.quantiles)
        got = statistics.logit(reals)
    assert torch.equal(got, statistics.logit(reals))


def test_everything_that_is_fitted_is_in_the_state_dict():
    statistics, loaded = fitted(), RealStatistics(NUM_BLOCKS).double()
    assert loaded.num_faces == 0
    loaded.load_state_dict(statistics.state_dict())
    assert loaded.num_faces == NUM_FACES
    others = real_differences() * torch.linspace(0.5, 4, NUM_FACES)[:, None]
    assert torch.equal(loaded.logit(others), statistics.logit(others))


def test_a_detector_in_double_precision_scores_in_it():
    reals = real_differences().float()
    statistics = fitted(reals)
    expected = statistics.logit(reals)
    got = statistics.double().logit(reals.double())
    assert got.dtype == torch.float64
    torch.testing.assert_close(got.float(), expected, atol=5e-5, rtol=0)
