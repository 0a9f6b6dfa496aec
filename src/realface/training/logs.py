"""What a run leaves to read: `log.csv` for programs and `tensorboard/` for eyes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from torch import Tensor

from realface.core.files import write_text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CSV_NAME = "log.csv"
TENSORBOARD_NAME = "tensorboard"


class RunLog(Protocol):
    """Where a run's numbers and pictures go."""

    def write(self, step: int, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Log a step.

        Args:
            step: steps taken.
            train: learning rate, losses and speed by name.
            validation: validation metrics by name, empty where the step was not validated.
        """

    def show(self, step: int, pictures: Mapping[str, Tensor]) -> None:
        """Log pictures (3, H, W) in [0, 1], by name."""


class NoLog:
    """The log of a process that writes none."""

    def write(self, step: int, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Nothing."""

    def show(self, step: int, pictures: Mapping[str, Tensor]) -> None:
        """Nothing."""


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
        self._file.flush()  # a run is watched while it goes on
        for group, values in (("train", train), ("val", validation)):
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def show(self, step: int, pictures: Mapping[str, Tensor]) -> None:
        for name, picture in pictures.items():
            self._board.add_image(name, picture, step)


@contextmanager
def open_log(run: Path, *, metrics: Sequence[str], first_step: int = 1) -> Iterator[RunLog]:
    """The log of a run folder, closed at the end.

    Args:
        run: the run's folder.
        metrics: names of the validation metrics.
        first_step: what is written next; rows from there on, of a run that was broken off, are removed.
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
    """Remove the rows from a step on; the columns are returned, None where no row is left to go on from."""
    if not path.exists():
        return None
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
    # a kill may have left half a row, which then has no end
    kept = [row for row in rows if row.endswith("\n") and int(row.partition(",")[0]) < first_step]
    write_text(path, "".join([header, *kept]) if kept else "")
    return header.strip().split(",") if kept else None
