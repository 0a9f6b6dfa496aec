import math

import pytest
import torch
from torch.nn import functional as F

from realface.core.labels import Label
from realface.models.losses import classification_loss
from realface.models.recce.losses import metric_loss, reconstruction_errors, reconstruction_loss

REAL, FAKE = Label.REAL, Label.FAKE


def test_classification_loss_above_the_flood_is_cross_entropy():
    # -log(1/2) for a logit of 0, whatever the label
    loss = classification_loss(torch.zeros(2), torch.tensor([REAL, FAKE]), flood_level=0.04)
    assert loss.item() == pytest.approx(math.log(2))


def test_classification_loss_below_the_flood_is_mirrored_above_it():
    # -log(sigmoid(ln 99)) = -log(0.99) = 0.01005; |0.01005 - 0.04| + 0.04 = 0.06995
    loss = classification_loss(torch.tensor([math.log(99)]), torch.tensor([FAKE]), flood_level=0.04)
    assert loss.item() == pytest.approx(0.0699497, abs=1e-6)


def test_classification_loss_of_a_logit_difference_is_the_cross_entropy_of_two_classes():
    logits = torch.tensor([[0.3, -1.2], [2.0, 2.5], [-0.4, 0.1]])
    label = torch.tensor([REAL, FAKE, REAL])
    loss = classification_loss(logits[:, 1] - logits[:, 0], label, flood_level=0.0)
    assert loss.item() == pytest.approx(F.cross_entropy(logits, label).item())


def test_reconstruction_loss_ignores_fakes():
    image = torch.zeros(2, 3, 4, 4)
    off = torch.stack([torch.full((3, 4, 4), 0.5), torch.full((3, 4, 4), 9.0)])
    loss = reconstruction_loss(reconstruction_errors(off, image), torch.tensor([REAL, FAKE]))
    assert loss.item() == pytest.approx(0.5)


def test_reconstruction_loss_without_reals_is_zero_and_keeps_the_decoder_in_the_graph():
    reconstruction = torch.ones(2, 3, 4, 4, requires_grad=True)
    loss = reconstruction_loss(
        reconstruction_errors(reconstruction, torch.zeros(2, 3, 4, 4)), torch.tensor([FAKE, FAKE])
    )
    loss.backward()
    assert loss.item() == 0
    assert reconstruction.grad is not None
    assert reconstruction.grad.count_nonzero() == 0


SIMILARITY = torch.tensor(
    [
        [1.0, 0.8, 0.6, 0.3],
        [0.8, 1.0, 0.4, 0.5],
        [0.6, 0.4, 1.0, 0.9],
        [0.3, 0.5, 0.9, 1.0],
    ]
)


def test_metric_loss_compares_real_pairs_with_mixed_pairs():
    # real pairs: 0.8; mixed: (0.6 + 0.3 + 0.4 + 0.5) / 4 = 0.45; 1 - 0.8 + 0.45 = 0.65; the fakes' 0.9 is free
    loss = metric_loss(SIMILARITY, torch.tensor([REAL, REAL, FAKE, FAKE]), margin=1.0)
    assert loss.item() == pytest.approx(0.65, abs=1e-5)


def test_metric_loss_is_never_negative():
    # 0.2 - 0.8 + 0.45 = -0.15
    loss = metric_loss(SIMILARITY, torch.tensor([REAL, REAL, FAKE, FAKE]), margin=0.2)
    assert loss.item() == 0


def test_metric_loss_of_reals_only_has_no_mixed_pairs():
    # mean of 0.8 0.6 0.3 0.4 0.5 0.9 = 3.5 / 6
    loss = metric_loss(SIMILARITY, torch.full((4,), REAL), margin=1.0)
    assert loss.item() == pytest.approx(1 - 3.5 / 6, abs=1e-5)


@pytest.mark.parametrize("label", [[FAKE] * 4, [REAL], [FAKE]])
def test_metric_loss_without_pairs_is_the_margin(label):
    loss = metric_loss(SIMILARITY[: len(label), : len(label)], torch.tensor(label), margin=1.0)
    assert loss.item() == 1


def test_metric_loss_of_one_real_and_one_fake_counts_their_similarity():
    loss = metric_loss(SIMILARITY[:2, :2], torch.tensor([REAL, FAKE]), margin=1.0)
    assert loss.item() == pytest.approx(1.8, abs=1e-5)
