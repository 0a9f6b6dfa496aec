import pytest
import torch

from realface.core.errors import DeviceError
from realface.training.launch import Places, launch, started_places
from realface.training.sections import TrainerSection


def trainer(**settings):
    return TrainerSection(steps=1, **{"device": "cpu"} | settings)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_one_process_is_started_by_hand():
    fabric = launch(trainer())
    assert (fabric.world_size, fabric.device.type) == (1, "cpu")
    assert started_places() is None


def test_processes_of_torchrun_are_counted_over_machines(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert started_places() == Places(nodes=2, devices=4)


def test_processes_of_slurm_are_counted_over_machines(monkeypatch):
    for name, value in {"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train"}.items():
        monkeypatch.setenv(name, value)
    assert started_places() == Places(nodes=2, devices=4)


def test_norms_over_processes_need_gpus():
    with pytest.raises(
        DeviceError, match=r"trainer\.sync_batch_norm needs GPUs, but this run is on cpu; set it to false"
    ):
        launch(trainer(sync_batch_norm=True))


def test_half_precision_with_scaling_needs_a_gpu():
    with pytest.raises(DeviceError, match=r"trainer\.precision fp16 needs a GPU, but this run is on cpu; choose bf16"):
        launch(trainer(precision="fp16"))


def test_one_named_device_for_several_processes_is_refused(two_gpus):
    with pytest.raises(DeviceError, match=r"trainer\.device 'cuda:1' is one device, but 2 processes were asked for"):
        launch(trainer(device="cuda:1", devices=2))


def test_more_processes_than_gpus_are_refused(two_gpus):
    with pytest.raises(DeviceError, match="4 processes were asked for, but this machine has 2 GPUs"):
        launch(trainer(device="cuda", devices=4))
