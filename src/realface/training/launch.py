"""Starting a run's processes: one, several on this machine, or those that torchrun or SLURM started."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from realface.core.errors import DeviceError
from realface.models.devices import resolve_device
from realface.training.sections import TrainerSection

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}
"""The recipe's words -> Fabric's."""


class Places(NamedTuple):
    """How many processes there are.

    Attributes:
        nodes: machines.
        devices: processes on each.
    """

    nodes: int
    devices: int


def launch(trainer: TrainerSection) -> Fabric:
    """Start the other processes, where there are any, and connect to them.

    Started by hand with `trainer.devices` above 1, the command line of this process is run again for each of them.

    Raises:
        DeviceError: a device that is not here, too few of them, or a setting that this kind cannot do.
    """
    device = resolve_device(trainer.device)
    places = started_places() or Places(1, trainer.devices)
    num_processes = places.nodes * places.devices
    _check_devices(trainer, device, places)
    fabric = Fabric(
        accelerator=device.type,
        devices=[device.index] if num_processes == 1 and device.index is not None else places.devices,
        num_nodes=places.nodes,
        strategy="ddp" if num_processes > 1 else "auto",
        precision=PRECISIONS[trainer.precision],
    )
    fabric.launch()
    return fabric


def started_places() -> Places | None:
    """The processes that torchrun or SLURM started, of which this is one; None when started by hand."""
    if TorchElasticEnvironment.detect():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        return Places(int(os.environ["WORLD_SIZE"]) // devices, devices)
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", 1))
        return Places(nodes, int(os.environ["SLURM_NTASKS"]) // nodes)
    return None


def _check_devices(trainer: TrainerSection, device: torch.device, places: Places) -> None:
    if trainer.sync_batch_norm and device.type != "cuda":
        raise DeviceError(
            f"trainer.sync_batch_norm needs GPUs, but this run is on {device.type}; set it to false, or choose "
            "trainer.device=cuda"
        )
    if trainer.precision == "fp16" and device.type != "cuda":
        raise DeviceError(f"trainer.precision fp16 needs a GPU, but this run is on {device.type}; choose bf16 or fp32")
    if places.devices == 1:
        return
    if ":" in trainer.device or device.type == "mps":
        raise DeviceError(
            f"trainer.device {trainer.device!r} is one device, but {places.devices} processes were asked for; set "
            "trainer.device to cuda or cpu, or trainer.devices to 1"
        )
    if device.type == "cuda" and places.devices > torch.cuda.device_count():
        raise DeviceError(
            f"{places.devices} processes were asked for, but this machine has {torch.cuda.device_count()} GPUs; set "
            "trainer.devices to that"
        )
