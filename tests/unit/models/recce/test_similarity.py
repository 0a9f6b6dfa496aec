import pytest
import torch

from realface.models.recce.similarity import pooled, similarity_map


def test_similarity_is_one_for_equal_half_for_orthogonal_and_zero_for_opposite_directions():
    embedding = torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0], [0.5, 0.0]])
    expected = torch.tensor([[1, 0.5, 0, 1], [0.5, 1, 0.5, 0.5], [0, 0.5, 1, 0], [1, 0.5, 0, 1]])
    torch.testing.assert_close(similarity_map(embedding), expected)


def test_similarity_of_a_zero_embedding_is_finite():
    assert similarity_map(torch.zeros(1, 4)).item() == 0.5


def test_pooling_averages_over_positions_only():
    feature = torch.tensor([[[[1.0, 3.0]], [[5.0, 7.0]]]])  # (1, 2, 1, 2)
    assert pooled(feature).tolist() == [[2.0, 6.0]]


def test_pooling_of_half_precision_is_float32():
    feature = torch.full((1, 1, 64, 64), 1 + 2**-7, dtype=torch.bfloat16)
    assert pooled(feature).dtype == torch.float32
    assert pooled(feature).item() == pytest.approx(1 + 2**-7)
