"""Start the processes of a run: one, several on this machine, or the processes of torchrun or SLURM."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from realface.core.errors import DeviceError
from realface.core.process_number import warn_once
from realface.models.devices import computes_bf16_fast, resolve_device
from realface.training.recipe import TrainerSection

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}
"""The recipe's words -> Fabric's."""


class Places(NamedTuple):
    """The number of processes.

    Attributes:
        nodes: number of machines.
        devices: number of processes on each machine.
    """

    nodes: int
    devices: int


def launch(trainer: TrainerSection) -> Fabric:
    """Start the other processes of the run, if it has several, and connect to them.

    When started by hand with `trainer.devices` above 1, the command line of this process runs again for each
    other process.

    Raises:
        DeviceError: a device is missing, too few are available, or this kind does not support a setting.
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
        precision=PRECISIONS[_precision(trainer, device)],
    )
    fabric.launch()
    return fabric


def _precision(trainer: TrainerSection, device: torch.device) -> str:
    """Return the precision of a run; warn of one that this device computes slowly."""
    is_fast = computes_bf16_fast(device)
    if trainer.precision == "auto":
        return "bf16" if is_fast else "fp32"
    if trainer.precision == "bf16" and device.type == "cpu" and not is_fast:
        warn_once("trainer.precision bf16 is slow on this CPU, which has no AVX-512; fp32 or auto is faster")
    return trainer.precision


def started_places() -> Places | None:
    """Return the number of processes that torchrun or SLURM started, this one included; None if started by hand.

    Raises:
        DeviceError: several tasks of SLURM, without the number of tasks per machine.
    """
    if TorchElasticEnvironment.detect():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        return Places(int(os.environ["WORLD_SIZE"]) // devices, devices)
    if SLURMEnvironment.detect():
        nodes, tasks = int(os.environ.get("SLURM_NNODES", 1)), int(os.environ["SLURM_NTASKS"])
        if tasks > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ:  # Fabric requires it
            raise DeviceError(
                f"SLURM started {tasks} tasks on {nodes} machines without --ntasks-per-node",
                hint="give that instead of --ntasks, one task for each GPU of a machine",
            )
        return Places(nodes, tasks // nodes)
    return None


def _check_devices(trainer: TrainerSection, device: torch.device, places: Places) -> None:
    if trainer.devices not in (1, places.devices):
        raise DeviceError(
            f"trainer.devices is {trainer.devices}, but torchrun or SLURM started {places.devices} here",
            hint="start as many with it (--nproc-per-node, or srun --ntasks-per-node), or set trainer.devices to 1",
        )
    if trainer.sync_batch_norm and device.type != "cuda":
        raise DeviceError(
            f"trainer.sync_batch_norm needs GPUs, but this run is on {device.type}",
            hint="set it to false, or choose trainer.device=cuda",
        )
    if trainer.precision == "fp16" and device.type != "cuda":
        raise DeviceError(
            f"trainer.precision fp16 needs a GPU, but this run is on {device.type}", hint="choose bf16 or fp32"
        )
    num_processes = places.nodes * places.devices
    if num_processes == 1:
        return
    if ":" in trainer.device or device.type == "mps":
        raise DeviceError(
            f"trainer.device {trainer.device!r} is one device, but {num_processes} processes were asked for",
            hint="set trainer.device to cuda or cpu, or ask for one process",
        )
    if device.type == "cuda" and places.devices > torch.cuda.device_count():
        raise DeviceError(
            f"{places.devices} processes were asked for, but {torch.cuda.device_count()} GPUs are seen here",
            hint=(
                "ask for that many, and let each task of SLURM see all of its machine's GPUs (--gpus-per-node, not "
                "--gpus-per-task)"
            ),
        )
