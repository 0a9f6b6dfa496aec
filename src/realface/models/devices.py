"""Select a device of this machine by name, such as `auto` or `cuda:1`."""

from __future__ import annotations

import re

import torch

from realface.core.errors import DeviceError


def resolve_device(name: str) -> torch.device:
    """Return a torch device by name.

    Args:
        name: `auto` (the first GPU, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        DeviceError: unknown name, or no such device on this machine; the message lists the available devices.
    """
    if name == "auto":
        return torch.device(available_devices()[0])
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise DeviceError(f"device must be auto, cpu, cuda, cuda:N or mps, got {name!r}")
    wanted = "cuda:0" if name == "cuda" else name
    here = available_devices()
    if wanted not in here:
        raise DeviceError(
            f"device {name!r} is not on this machine, which has {', '.join(here)}", hint="choose one, or auto"
        )
    return torch.device(wanted)


def available_devices() -> list[str]:
    """Return the names of the devices of this machine, the fastest kind first, `cpu` last."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        gpus.append("mps")
    return [*gpus, "cpu"]


def computes_bf16_fast(device: torch.device) -> bool:
    """Return whether the device has instructions that make bf16 worthwhile.

    A CPU without AVX-512 emulates bf16 and can be 30 times slower than in float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
