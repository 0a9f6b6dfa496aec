import pytest
import torch

from realface.core.errors import DeviceError
from realface.training.launch import Places, launch, started_places
from realface.training.recipe import TrainerSection


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


@pytest.fixture
def slurm(monkeypatch):
    """Eight tasks on two machines."""
    for name, value in {"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "4")


def test_processes_of_slurm_are_counted_over_machines(slurm):
    assert started_places() == Places(nodes=2, devices=4)


def test_tasks_of_slurm_that_are_not_counted_by_machine_are_refused(slurm, monkeypatch):
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(DeviceError, match="SLURM started 8 tasks on 2 machines without --ntasks-per-node; give that"):
        started_places()


def test_one_task_of_slurm_does_not_stand_for_several_processes(slurm, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_NNODES", "1")
    with pytest.raises(DeviceError, match=r"trainer\.devices is 4, but torchrun or SLURM started 1 here"):
        launch(trainer(devices=4))


def test_one_named_device_on_several_machines_is_refused(slurm, two_gpus, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "1")
    with pytest.raises(DeviceError, match=r"trainer\.device 'cuda:1' is one device, but 2 processes were asked for"):
        launch(trainer(device="cuda:1"))


def test_norms_over_processes_need_gpus():
    with pytest.raises(
        DeviceError, match=r"trainer\.sync_batch_norm needs GPUs, but this run is on cpu; set it to false"
    ):
        launch(trainer(sync_batch_norm=True))


def test_half_precision_with_scaling_needs_a_gpu():
    with pytest.raises(DeviceError, match=r"trainer\.precision fp16 needs a GPU, but this run is on cpu; choose bf16"):
        launch(trainer(precision="fp16"))


@pytest.mark.parametrize(("capability", "expected"), [("AVX2", "32-true"), ("AVX512", "bf16-mixed")])
def test_auto_precision_is_bf16_where_the_cpu_has_instructions_for_it(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert launch(trainer(precision="auto")).strategy.precision.precision == expected


def test_bf16_on_a_cpu_that_emulates_it_is_warned_of(monkeypatch, capsys):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert launch(trainer(precision="bf16")).strategy.precision.precision == "bf16-mixed"
    assert "bf16 is slow on this CPU, which has no AVX-512; fp32 or auto is faster" in capsys.readouterr().err


def test_one_named_device_for_several_processes_is_refused(two_gpus):
    with pytest.raises(DeviceError, match=r"trainer\.device 'cuda:1' is one device, but 2 processes were asked for"):
        launch(trainer(device="cuda:1", devices=2))


def test_more_processes_than_gpus_are_refused(two_gpus):
    with pytest.raises(DeviceError, match=r"4 processes were asked for, but 2 GPUs are seen here; .*--gpus-per-node"):
        launch(trainer(device="cuda", devices=4))
