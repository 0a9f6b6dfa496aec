import pytest
import torch
from torch.nn import functional as F

from realface.core.labels import Label
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline
from realface.models.baseline.task import BaselineTask
from realface.models.outputs import Task

IMAGE = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
LABEL = torch.tensor([Label.REAL, Label.FAKE])


def task(*, gather=None, **settings):
    torch.manual_seed(0)
    network = Baseline(BaselineConfig(encoder="light_xception", dropout=0, **settings))
    return (BaselineTask(network) if gather is None else BaselineTask(network, gather=gather)).eval()


def test_is_a_task():
    assert isinstance(task(), Task)


def test_one_logit_costs_its_binary_cross_entropy():
    result = task()(IMAGE, LABEL)
    probability = result.output.score.detach()
    expected = -((1 - probability[0]).log() + probability[1].log()) / 2
    assert result.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert result.parts == {"classification": result.loss.detach()}


def test_two_logits_cost_their_cross_entropy():
    trained = task(num_classes=2)
    network = trained.network
    logits = network.encoder((IMAGE - network.encoder_mean) / network.encoder_std)
    assert trained(IMAGE, LABEL).loss.item() == pytest.approx(F.cross_entropy(logits, LABEL).item(), rel=1e-5)


def test_the_loss_is_flooded_where_asked_for():
    plain = task()(IMAGE, LABEL).loss.item()
    assert task(flood_level=3)(IMAGE, LABEL).loss.item() == pytest.approx(6 - plain)  # |plain - 3| + 3


def test_the_loss_is_that_of_the_gathered_rows():
    def twice(rows):
        return torch.cat([rows, rows.flip(0)])  # logits and labels stay in step

    def of_two_processes(rows):
        return torch.cat([rows, torch.zeros_like(rows)])  # the other: two reals with a logit of 0, log 2 each

    plain = task()(IMAGE, LABEL).loss.item()
    assert task(gather=twice)(IMAGE, LABEL).loss.item() == pytest.approx(plain)
    expected = (plain + torch.tensor(2.0).log().item()) / 2
    assert task(gather=of_two_processes)(IMAGE, LABEL).loss.item() == pytest.approx(expected)


def test_the_loss_is_computed_in_float32_under_half_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = task().train()(IMAGE, LABEL)
    assert result.loss.dtype == torch.float32
    result.loss.backward()
