import math

import pytest
import torch

from realface.core.errors import TrainingError
from realface.training.loop import LossMeans


def means_of(losses):
    means = LossMeans(torch.device("cpu"))
    for step, loss in enumerate(losses, start=1):
        means.add(step, torch.tensor(loss), {"half": torch.tensor(loss / 2)})
    return means


def test_means_are_over_the_steps_since_the_last():
    means = means_of([1.0, 3.0])
    assert means.take() == {"loss": 2.0, "half": 1.0}
    means.add(3, torch.tensor(8.0), {"half": torch.tensor(4.0)})
    assert means.take() == {"loss": 8.0, "half": 4.0}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_first_step_that_is_not_finite_is_named_with_what_to_do(bad):
    with pytest.raises(TrainingError, match=r"the loss of step 2 is not finite.*lower optim\.lr"):
        means_of([1.0, bad, math.nan, 1.0]).take()


def test_counting_a_loss_keeps_no_graph():
    weight = torch.ones(1, requires_grad=True)
    means = LossMeans(torch.device("cpu"))
    means.add(1, (2 * weight).sum(), {})
    assert not means._sums["loss"].requires_grad
