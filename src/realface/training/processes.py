"""Exchange between the processes of a run. With one process, every exchange returns its input."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from realface.core.errors import RealfaceError, TrainingError
from realface.models.eager import eager

T = TypeVar("T")
PATIENCE = timedelta(days=1)
"""Time that a process waits for another: on many faces the first process fits an MAE's score for longer than torch's
half hour. The end of a process is noticed at once."""


class Processes:
    """One process of the run, after the launch.

    Attributes:
        rank: number of this process, from 0; process 0 writes the files.
        size: number of processes, over all machines.
    """

    def __init__(self) -> None:
        is_several = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if is_several else 0
        self.size = dist.get_world_size() if is_several else 1
        # small messages go over the CPU, so that no GPU waits for them
        self._group: Any = dist.new_group(backend="gloo", timeout=PATIENCE) if is_several else None

    @property
    def is_first(self) -> bool:
        """True if this process writes the files."""
        return self.rank == 0

    def largest(self, number: int) -> int:
        """Return the largest number of all processes."""
        if self.size == 1:
            return number
        value = torch.tensor(number)
        dist.all_reduce(value, op=dist.ReduceOp.MAX, group=self._group)
        return int(value)

    def gather(self, value: T) -> list[T]:
        """Return every process's value, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._group)
        return values

    def on_first(self, work: Callable[[], T]) -> T:
        """Let the first process do something; all get its result.

        Raises:
            RealfaceError, OSError: the error of the first process. All further processes raise it with the same text,
                so that no process waits for a process that has ended.
        """
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, None]
        fault: RealfaceError | OSError | None = None
        if self.is_first:
            try:
                outcome[0] = work()
            except (RealfaceError, OSError) as error:  # OSError: a full disk, for example
                fault, outcome[1] = error, _text_and_hint(error)
        dist.broadcast_object_list(outcome, src=0, group=self._group)
        if fault is not None:
            raise fault
        if outcome[1] is not None:
            text, hint = outcome[1]
            raise TrainingError(text, hint=hint)
        result: T = outcome[0]
        return result

    def same_buffers(self, module: nn.Module) -> None:
        """Set this process's buffers, such as a batch norm's statistics, to the first process's."""
        if self.size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of the values over all processes, in the shape (N,) of the values."""
        if self.size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.size

    def gather_rows(self, rows: Tensor) -> Tensor:
        """Return the rows (B, ...) of every process as one tensor (size x B, ...), through which gradients flow back.

        Each process must then compute the same loss from them. Its gradient by a process's own rows is the sum over
        all processes, which the mean that data-parallel training takes of all gradients turns into the gradient of
        that one loss.
        """
        if self.size == 1:
            return rows
        gathered: Tensor = _gather_rows(rows, self.rank, self.size)
        return gathered


def _text_and_hint(error: RealfaceError | OSError) -> tuple[str, str]:
    return (error.text, error.hint) if isinstance(error, RealfaceError) else (str(error), "")


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, rank: int, size: int) -> Tensor:
        ctx.own = slice(rank * len(rows), (rank + 1) * len(rows))
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.own], None, None


@eager
def _gather_rows(rows: Tensor, rank: int, size: int) -> Tensor:
    gathered: Tensor = _GatherRows.apply(rows, rank, size)
    return gathered
