"""The autoencoder of aligned faces."""

import pytest
import torch
from skimage.metrics import structural_similarity as reference

from realface.models.face_autoencoder import SIDE, FaceAutoencoder, rendering_loss, structural_similarity


@pytest.fixture(params=["dense", "spatial"])
def network(request):
    torch.manual_seed(0)
    return FaceAutoencoder(request.param)


def faces(count=2):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_faces_keep_their_shape_and_range(network):
    rendered = network(faces()).detach()
    assert rendered.shape == (2, 3, SIDE, SIDE)
    assert 0 <= float(rendered.min()) <= float(rendered.max()) <= 1


def test_a_network_whose_decoder_says_nothing_renders_the_mean_face(network):
    mean = faces(1)[0].clamp(0.01, 0.99)
    network.start_from(mean)
    for parameter in network.decoder[-2].parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.allclose(network(faces())[0], mean, atol=1e-5)


def test_every_weight_gets_a_gradient(network):
    batch = faces()
    rendering_loss(network(batch), batch).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_a_perfect_rendering_costs_nothing():
    assert rendering_loss(faces(), faces()).item() == pytest.approx(0, abs=1e-5)


def test_a_rendering_costs_its_error_and_half_of_its_dissimilarity():
    image = torch.full((1, 3, SIDE, SIDE), 0.5)
    darker = image - 0.2
    # flat images: SSIM is the term of the means, (2 * 0.3 * 0.5 + C1) / (0.3 ** 2 + 0.5 ** 2 + C1)
    likeness = (0.3 + 1e-4) / (0.34 + 1e-4)
    assert rendering_loss(darker, image).item() == pytest.approx(0.2 + (1 - likeness) / 2, abs=1e-4)


def test_similarity_agrees_with_an_independent_one():
    image = torch.nn.functional.avg_pool2d(faces(1), 9, stride=1, padding=4)
    noisy = (image + 0.05 * torch.randn(image.shape, generator=torch.Generator().manual_seed(2))).clamp(0, 1)
    grey = [part.mean(1)[0].numpy() for part in (image, noisy)]
    expected = reference(*grey, data_range=1.0, win_size=7, use_sample_covariance=False)
    # windows of 8 pixels at every second place, instead of 7 at every place
    assert structural_similarity(image, noisy).item() == pytest.approx(expected, abs=0.05)
