import pytest
import torch
from torch.nn import functional as F

from realface.models.rffr.mae import inpainting_losses, normalised_patches
from realface.models.rffr.network import classification_loss


def test_normalised_patches_have_a_mean_of_0_and_a_deviation_of_1():
    patches = torch.rand(2, 3, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 5 + 2
    normed = normalised_patches(patches)
    torch.testing.assert_close(normed.mean(2), torch.zeros(2, 3).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(normed.std(2), torch.ones(2, 3).double(), atol=1e-6, rtol=0)  # 1e-6 joins the variance


def test_a_normalised_patch_of_one_colour_is_0():
    assert not normalised_patches(torch.full((1, 1, 12), 0.5)).any()


def test_the_inpainting_loss_is_each_images_mean_squared_error():
    prediction = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 2.0]]])
    assert inpainting_losses(prediction, torch.zeros(2, 2, 2)).tolist() == [(1 + 4 + 9 + 16) / 4, 1.0]


def test_the_classification_loss_is_cross_entropy():
    # both sure by log-odds of 2: -log sigmoid(2), and of the wrong one -log sigmoid(-2)
    logits = torch.tensor([[2.0, 0.0], [1.0, -1.0]])
    right, wrong = -F.logsigmoid(torch.tensor(2.0)), -F.logsigmoid(torch.tensor(-2.0))
    assert classification_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(((right + wrong) / 2).item())
