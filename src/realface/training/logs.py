"""The log of a run: averages of its losses, its speed, `log.csv` and `tensorboard/`."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import torch
from torch import Tensor

from realface.core.files import write_text
from realface.training.processes import Processes

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CSV_NAME = "log.csv"
TENSORBOARD_NAME = "tensorboard"


class RunLog(Protocol):
    """Destination of the numbers and images of a run."""

    def write(self, step: int, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Log a step.

        Args:
            step: steps taken.
            train: learning rate, losses and speed, by name.
            validation: validation metrics, by name; empty if the step was not validated.
        """

    def show(self, step: int, images: Mapping[str, Tensor]) -> None:
        """Log images (3, H, W) in [0, 1], by name."""


class NoLog:
    """Discards everything; the log of all processes but the first."""

    def write(self, step: int, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Do nothing."""

    def show(self, step: int, images: Mapping[str, Tensor]) -> None:
        """Do nothing."""


class _FileLog:
    def __init__(self, file: TextIO, board: SummaryWriter, columns: list[str] | None, metrics: Sequence[str]) -> None:
        self._file, self._board, self._metrics = file, board, metrics
        self._table = csv.DictWriter(file, columns) if columns else None

    def write(self, step: int, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        if self._table is None:
            columns = ["step", *train, *(f"val_{name}" for name in self._metrics)]
            self._table = csv.DictWriter(self._file, columns)
            self._table.writeheader()
        validated = {f"val_{name}": value for name, value in validation.items()}
        numbers = {name: f"{value:.8g}" for name, value in {**train, **validated}.items()}
        self._table.writerow({"step": step, **numbers})
        self._file.flush()  # users watch the log during the run
        for group, values in (("train", train), ("val", validation)):
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def show(self, step: int, images: Mapping[str, Tensor]) -> None:
        for name, image in images.items():
            self._board.add_image(name, image, step)


@contextmanager
def open_log(run: Path, *, metrics: Sequence[str], first_step: int = 1) -> Iterator[RunLog]:
    """Open the log of a run folder.

    Args:
        run: folder of the run.
        metrics: names of the validation metrics.
        first_step: the next step to be logged; rows of this and later steps, left by an interrupted run, are removed.
    """
    from torch.utils.tensorboard import SummaryWriter  # takes a second to import

    columns = _cut(run / CSV_NAME, first_step)
    with (run / CSV_NAME).open("a", encoding="utf-8", newline="") as file:
        board = SummaryWriter(str(run / TENSORBOARD_NAME), purge_step=first_step)
        try:
            yield _FileLog(file, board, columns, metrics)
        finally:
            board.close()


def _cut(path: Path, first_step: int) -> list[str] | None:
    """Remove the row of a step and all later rows.

    Returns:
        The columns; None if no row remains.
    """
    if not path.exists():
        return None
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
    # a killed process may leave half a row, without an end of line
    kept = [row for row in rows if row.endswith("\n") and int(row.partition(",")[0]) < first_step]
    write_text(path, "".join([header, *kept]) if kept else "")
    return header.strip().split(",") if kept else None


class MetricAverages:
    """Averages of the losses since the last logged step.

    The sums stay on the device until `take` is called, so that a GPU does not wait in every step.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._num_steps = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the losses of a step, each a scalar tensor."""
        self._num_steps += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().float()

    def add_skipped(self, values: Mapping[str, Tensor]) -> None:
        """Register the names of the losses of a skipped step, which does not count."""
        for name, value in values.items():
            self._sums.setdefault(name, torch.zeros((), device=value.device))

    def take(self, processes: Processes) -> dict[str, float]:
        """Return the averages since the last call, over all processes, and start again.

        Returns:
            One number per loss: NaN if all steps were skipped. Empty if there was no step.
        """
        self.share(processes)
        count = self._num_steps or math.nan
        sums = torch.stack(list(self._sums.values())).tolist() if self._sums else []
        means = {name: value / count for name, value in zip(self._sums, sums, strict=True)}
        self._sums, self._num_steps = {}, 0
        return means

    def share(self, processes: Processes) -> None:
        """Replace the sums of each process by their mean, so that the checkpoint of one process covers all."""
        if self._sums:
            sums = processes.mean(torch.stack(list(self._sums.values())))
            self._sums = dict(zip(self._sums, sums, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a checkpoint stores."""
        return {"sums": dict(self._sums), "num_steps": self._num_steps}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Continue from a state of `state_dict`."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._num_steps = state["num_steps"]


class Stopwatch:
    """Measures the training time since the last logged step, and the share of it spent waiting for data."""

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
        """Time a step.

        Args:
            num_crops: crops that the step learns from, over all processes.
        """
        start = time.perf_counter()
        yield
        self._training_s += time.perf_counter() - start
        self._num_crops += num_crops

    def take(self) -> dict[str, float]:
        """Return the crops per second and the share of time spent waiting for data, in [0, 1]; start again."""
        seconds = max(self._training_s, 1e-9)
        taken = {"crops_per_s": self._num_crops / seconds, "data_wait": self._waiting_s / seconds}
        self._training_s = self._waiting_s = 0.0
        self._num_crops = 0
        return taken
