"""What a run leaves to read: `log.csv` for programs and `tensorboard/` for eyes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from realface.training.selection import METRIC_NAMES

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CSV_NAME = "log.csv"
TENSORBOARD_NAME = "tensorboard"


class RunLog:
    """Writes each logged step to both places at once."""

    def __init__(self, file: TextIO, board: SummaryWriter) -> None:
        self._file, self._board = file, board
        self._table: csv.DictWriter[str] | None = None

    def write(self, step: int, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Log a step.

        Args:
            step: steps taken.
            train: learning rate, losses and speed by name; the same names at every step.
            validation: validation metrics by name, empty where the step was not validated.
        """
        if self._table is None:
            columns = ["step", *train, *(f"val_{name}" for name in METRIC_NAMES)]
            self._table = csv.DictWriter(self._file, columns)
            self._table.writeheader()
        validated = {f"val_{name}": value for name, value in validation.items()}
        numbers = {name: f"{value:.8g}" for name, value in {**train, **validated}.items()}
        self._table.writerow({"step": step, **numbers})
        self._file.flush()  # a run is watched while it goes on
        for group, values in (("train", train), ("val", validation)):
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)


@contextmanager
def open_log(run: Path) -> Iterator[RunLog]:
    """The log of a run folder, closed at the end."""
    from torch.utils.tensorboard import SummaryWriter  # takes a second to import

    with (run / CSV_NAME).open("w", encoding="utf-8", newline="") as file:
        board = SummaryWriter(str(run / TENSORBOARD_NAME))
        try:
            yield RunLog(file, board)
        finally:
            board.close()
