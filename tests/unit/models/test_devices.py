import pytest
import torch

from realface.core.errors import DeviceError
from realface.models.devices import available_devices, resolve_device


@pytest.fixture
def machine(monkeypatch):
    """Makes torch see so many GPUs."""

    def with_gpus(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return with_gpus


def test_auto_takes_the_first_gpu(machine):
    machine(cuda=2)
    assert resolve_device("auto") == torch.device("cuda:0")


def test_auto_takes_the_cpu_where_there_is_no_gpu(machine):
    machine()
    assert resolve_device("auto") == torch.device("cpu")


def test_cuda_means_the_first_one(machine):
    machine(cuda=1)
    assert resolve_device("cuda") == torch.device("cuda:0")


def test_the_cpu_is_always_here(machine):
    machine(cuda=1, mps=True)
    assert available_devices() == ["cuda:0", "mps", "cpu"]
    assert resolve_device("cpu") == torch.device("cpu")


def test_a_device_that_is_not_here_is_refused_with_those_that_are(machine):
    machine(cuda=1)
    with pytest.raises(DeviceError, match=r"device 'cuda:3' is not on this machine, which has cuda:0, cpu; choose one"):
        resolve_device("cuda:3")


def test_an_unknown_name_is_refused(machine):
    machine()
    with pytest.raises(DeviceError, match=r"device must be auto, cpu, cuda, cuda:N or mps, got 'gpu'"):
        resolve_device("gpu")
