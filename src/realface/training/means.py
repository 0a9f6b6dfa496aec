"""What a row of the log says of the steps since the last one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from realface.training.processes import Processes


class LossMeans:
    """Mean losses; the sums stay on the device until they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._num_steps = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Count the losses of a step."""
        self._num_steps += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().float()

    def add_skipped(self, values: Mapping[str, Tensor]) -> None:
        """Hear of a step that does not count, by the names of its losses."""
        for name, value in values.items():
            self._sums.setdefault(name, torch.zeros((), device=value.device))

    def take(self, processes: Processes) -> dict[str, float]:
        """The means since the last call, over all processes.

        Not a number where no step counts; none where there was no step.
        """
        self.share(processes)
        count = self._num_steps or math.nan
        sums = torch.stack(list(self._sums.values())).tolist() if self._sums else []
        means = {name: value / count for name, value in zip(self._sums, sums, strict=True)}
        self._sums, self._num_steps = {}, 0
        return means

    def share(self, processes: Processes) -> None:
        """Make the sums of every process their mean, so that a checkpoint of one of them holds those of all."""
        if self._sums:
            sums = processes.mean(torch.stack(list(self._sums.values())))
            self._sums = dict(zip(self._sums, sums, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """What must be known to go on."""
        return {"sums": dict(self._sums), "num_steps": self._num_steps}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a state."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._num_steps = state["num_steps"]


class Stopwatch:
    """Seconds of training since the last row of the log, and how many of them were spent waiting for data."""

    def __init__(self) -> None:
        self._training_s = self._waiting_s = 0.0
        self._num_crops = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time a wait for data."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self._waiting_s += seconds
        self._training_s += seconds

    @contextmanager
    def computing(self, num_crops: int) -> Iterator[None]:
        """Time a step on so many crops."""
        start = time.perf_counter()
        yield
        self._training_s += time.perf_counter() - start
        self._num_crops += num_crops

    def take(self) -> dict[str, float]:
        """Crops per second and the share of the time that was spent waiting for data, in [0, 1]."""
        seconds = max(self._training_s, 1e-9)
        taken = {"crops_per_s": self._num_crops / seconds, "data_wait": self._waiting_s / seconds}
        self._training_s = self._waiting_s = 0.0
        self._num_crops = 0
        return taken
