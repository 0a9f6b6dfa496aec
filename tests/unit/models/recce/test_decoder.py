import torch

from realface.models.recce.decoder import doubling, refinement, to_rgb


def test_doubling_makes_a_map_twice_as_large():
    assert doubling(6, 4)(torch.rand(2, 6, 3, 5)).shape == (2, 4, 6, 10)


def test_refinement_keeps_the_shape():
    assert refinement(4)(torch.rand(2, 4, 6, 10)).shape == (2, 4, 6, 10)


def test_rgb_values_lie_between_minus_one_and_one():
    rgb = to_rgb(4)(100 * torch.randn(2, 4, 6, 10))
    assert rgb.shape == (2, 3, 6, 10)
    assert rgb.min() >= -1
    assert rgb.max() <= 1
