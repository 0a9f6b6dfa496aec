import math
import time

import pytest
import torch

from realface.training.means import LossMeans, Stopwatch
from realface.training.processes import Processes


def means_of(losses):
    means = LossMeans()
    for loss in losses:
        means.add({"loss": torch.tensor(loss), "half": torch.tensor(loss / 2)})
    return means


def test_means_are_over_the_steps_since_the_last():
    means = means_of([1.0, 3.0])
    assert means.take(Processes()) == {"loss": 2.0, "half": 1.0}
    means.add({"loss": torch.tensor(8.0)})
    assert means.take(Processes()) == {"loss": 8.0}


def test_means_go_on_from_a_state():
    means = LossMeans()
    means.load_state_dict(means_of([1.0, 3.0]).state_dict(), torch.device("cpu"))
    means.add({"loss": torch.tensor(5.0), "half": torch.tensor(2.5)})
    assert means.take(Processes()) == {"loss": 3.0, "half": 1.5}


class WithAnotherProcess(Processes):
    """Beside one whose every sum is 7."""

    def mean(self, values):
        return (values + 7) / 2


def test_state_holds_the_losses_of_all_processes():
    means = means_of([1.0, 2.0])
    means.share(WithAnotherProcess())
    assert {name: float(value) for name, value in means.state_dict()["sums"].items()} == {"loss": 5.0, "half": 4.25}


def test_skipped_steps_do_not_count():
    means = means_of([2.0])
    means.add_skipped({"loss": torch.tensor(math.nan), "half": torch.tensor(math.nan)})
    assert means.take(Processes()) == {"loss": 2.0, "half": 1.0}


def test_means_over_skipped_steps_alone_are_no_number():
    means = LossMeans()
    means.add_skipped({"loss": torch.tensor(math.inf)})
    assert math.isnan(means.take(Processes())["loss"])


def test_there_are_no_means_where_there_was_no_step():
    assert LossMeans().take(Processes()) == {}


def test_counting_a_loss_keeps_no_graph():
    weight = torch.ones(1, requires_grad=True)
    means = LossMeans()
    means.add({"loss": (2 * weight).sum()})
    assert not means.state_dict()["sums"]["loss"].requires_grad


def test_stopwatch_gives_the_rate_and_the_share_of_waiting(monkeypatch):
    clock = iter([0.0, 1.0, 1.0, 4.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    watch = Stopwatch()
    with watch.waiting():
        pass
    with watch.computing(8):
        pass
    assert watch.take() == pytest.approx({"crops_per_s": 2.0, "data_wait": 0.25})
    assert watch.take() == {"crops_per_s": 0.0, "data_wait": 0.0}
