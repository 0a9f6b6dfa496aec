"""Ways to do the same work, each in a process of its own, timed by turns."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from realface.bench.memory import peak_resident_bytes
from realface.bench.spread import spread
from realface.core.allocator import keep_freed_memory


@dataclass(frozen=True)
class Way:
    """One way to do the work.

    Attributes:
        make: of a module, so that the new process finds it; gives what is timed.
        arguments: its arguments.
        keeps_memory: whether the process keeps freed memory, as our commands do.
    """

    make: Callable[..., Callable[[], object]]
    arguments: tuple[Any, ...]
    keeps_memory: bool = True


@dataclass(frozen=True)
class Timed:
    """What was measured of a way.

    Attributes:
        seconds: of each round.
        peak_bytes: the most memory at a time: `resident`, with Python's and torch's own, and `gpu`, torch's there.
    """

    seconds: list[float]
    peak_bytes: dict[str, int]


def time_by_turns(
    ways: Mapping[str, Way], *, repeats: int, advance: Callable[[], object] = lambda: None
) -> dict[str, Timed]:
    """Time every way in every round, one after the other, so that what else the machine does meets all of them.

    Args:
        ways: by name.
        repeats: rounds that count, after one that does not.
        advance: called after each round that counts.
    """
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pipes = {}
        for name, way in ways.items():
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, way), daemon=True)
            process.start()
            theirs.close()  # so that the end of the process is the end of the pipe
            stack.callback(process.join)
            stack.callback(ours.close)
            pipes[name] = ours
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for counts in (False, *[True] * repeats):
            for name, pipe in pipes.items():
                pipe.send(True)
                taken = pipe.recv()
                if counts:
                    seconds[name].append(taken)
            if counts:
                advance()
        peaks = {}
        for name, pipe in pipes.items():
            pipe.send(False)
            peaks[name] = pipe.recv()
    return {name: Timed(seconds[name], peaks[name]) for name in ways}


def _serve(pipe: Connection, way: Way) -> None:
    """Do the work whenever asked; when asked no more, tell the most memory that it took."""
    if way.keeps_memory:
        keep_freed_memory()
    work = way.make(*way.arguments)
    while pipe.recv():
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        pipe.send(time.perf_counter() - start)
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    pipe.send({"resident": peak_resident_bytes(), "gpu": gpu})


def summary(kind: str, batch: int, timed: Mapping[str, Timed], *, reference: str) -> dict[str, Any]:
    """What each way took: median, least and most; a ratio is of two times of the same round.

    Args:
        kind: of the work, such as training.
        batch: crops at a time.
        timed: the ways by name.
        reference: the way that the others are compared with.
    """
    compared = timed[reference].seconds
    return {
        "kind": kind,
        "batch_size": batch,
        "variants": {
            name: {
                "seconds": spread(way.seconds),
                "images_per_s": spread([batch / each for each in way.seconds]),
                "times_as_fast": spread([other / each for other, each in zip(compared, way.seconds, strict=True)]),
                "peak_bytes": way.peak_bytes,
            }
            for name, way in timed.items()
        },
    }
