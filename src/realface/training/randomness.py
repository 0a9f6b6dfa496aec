"""Seed a run, and restore the caller's random generators."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic
from lightning.fabric.utilities.seed import seed_everything

SEED_VARIABLES = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")
"""Environment variables that `seed_everything` sets."""
_settings: Any = torch.utils.deterministic  # its one setting is a property that type checkers do not see


@contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Seed Python, numpy and torch, and use deterministic kernels on a CPU; restore all settings at the end.

    On a GPU some kernels that the networks need have no deterministic form, so torch chooses the kernels there.
    """
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices, device_type=device.type), _kept_numpy_and_python():
        seed_everything(seed, workers=True, verbose=False)
        with _deterministic(device):
            yield


@contextmanager
def _kept_numpy_and_python() -> Iterator[None]:
    variables = {name: os.environ.get(name) for name in SEED_VARIABLES}
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 (plug-ins may use it)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = _settings.fill_uninitialized_memory
    try:
        if device.type == "cpu":
            torch.use_deterministic_algorithms(True)
            _settings.fill_uninitialized_memory = False  # a search for faulty kernels, which costs time
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        _settings.fill_uninitialized_memory = fill


def generator_states(device: torch.device) -> dict[str, Any]:
    """Return the states of Python's, numpy's and torch's generators, as tensors and plain values."""
    _, keys, *numpy_rest = np.random.get_state()  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": [torch.from_numpy(np.array(keys, dtype=np.int64)), *numpy_rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "mps": torch.mps.get_rng_state() if device.type == "mps" else None,
    }


def restore_generators(states: Mapping[str, Any], device: torch.device) -> None:
    """Continue from the states that `generator_states` returned."""
    random.setstate(states["python"])
    keys, *numpy_rest = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *numpy_rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps" and states["mps"] is not None:
        torch.mps.set_rng_state(states["mps"])


def seed_process(seed: int, rank: int) -> None:
    """Give each process its own noise; the first process keeps its current stream."""
    if rank > 0:
        torch.manual_seed(int(np.random.SeedSequence((seed, rank)).generate_state(1)[0]))
