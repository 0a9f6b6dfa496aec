from datetime import timedelta

import pytest
import torch.distributed as dist

from realface.core.errors import ManifestError, TrainingError
from realface.training.processes import Processes


@pytest.fixture
def told(monkeypatch):
    """(what the first of two processes does) -> what each of them gets from it: a result or an error."""

    def make(work):
        sent = []

        def broadcast(objects, src, group):
            if sent:
                objects[:] = sent
            else:
                sent.extend(objects)

        monkeypatch.setattr(dist, "broadcast_object_list", broadcast)
        outcomes = []
        for rank in range(2):
            process = Processes()
            process.rank, process.size = rank, 2
            try:
                outcomes.append(process.on_first(work))
            except (TrainingError, OSError, ManifestError) as error:
                outcomes.append(error)
        return outcomes

    return make


def test_processes_wait_for_the_first_one_longer_than_torch_would(monkeypatch):
    asked = []
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "new_group", lambda **settings: asked.append(settings))
    assert not Processes().is_first
    assert [(each["backend"], each["timeout"]) for each in asked] == [("gloo", timedelta(days=1))]


def failing(error):
    def work():
        raise error

    return work


def test_all_processes_get_what_the_first_one_found(told):
    calls = []
    assert told(lambda: calls.append("once") or 7) == [7, 7]
    assert calls == ["once"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ManifestError("a.csv:3: bad"), "a.csv:3: bad"),
        (OSError(28, "No space left on device", "run/log.csv"), r"No space left on device: 'run/log\.csv'"),
    ],
)
def test_no_process_waits_for_a_first_one_that_has_failed(told, error, text):
    first, second = told(failing(error))
    assert first is error
    with pytest.raises(TrainingError, match=text):
        raise second


def test_alone_the_work_is_done_here():
    assert Processes().on_first(lambda: 7) == 7
