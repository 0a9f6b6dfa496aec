import torch

from realface.models.recce.attention import GuidedAttention


def attention(dropout=0.0):
    torch.manual_seed(0)
    return GuidedAttention(4, dropout=dropout).eval()


def test_a_perfect_reconstruction_gives_an_even_attention_of_one_half():
    # without biases an error of 0 stays 0 up to the sigmoid
    image = torch.rand(2, 3, 8, 8)
    _, weight = attention()(image, image, torch.rand(2, 4, 2, 2))
    assert weight.shape == (2, 1, 2, 2)
    assert torch.equal(weight, torch.full((2, 1, 2, 2), 0.5))


def test_the_result_is_the_weighted_projection_plus_the_feature():
    module = attention()
    feature = torch.rand(2, 4, 2, 2)
    result, weight = module(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), feature)
    torch.testing.assert_close(result, weight * module.h(feature) + feature)


def test_attends_where_the_reconstruction_fails():
    module = attention()
    for parameter in module.gated.parameters():
        parameter.data.fill_(0.5)
    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 1  # the right half cannot be reconstructed
    _, weight = module(image, torch.zeros_like(image), torch.rand(1, 4, 4, 4))
    assert weight[..., 3].min() > weight[..., 0].max()
