"""Variants of the same work, each in a separate process, timed in interleaved order."""

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
from realface.bench.timing_stats import summarise
from realface.core.allocator import keep_freed_memory


@dataclass(frozen=True)
class Variant:
    """One variant of the work, run in a new process.

    Attributes:
        make: returns the function that is timed. Must be importable, because the new process looks it up by name.
        arguments: positional arguments of `make`; they must be picklable.
        keeps_memory: whether the process keeps freed memory, as the commands of `realface` do.
    """

    make: Callable[..., Callable[[], object]]
    arguments: tuple[Any, ...]
    keeps_memory: bool = True


@dataclass(frozen=True)
class VariantTiming:
    """Measurements of one variant.

    Attributes:
        seconds: wall seconds of each round.
        peak_bytes: peak memory. `resident` is that of the process, including Python and torch; `gpu` is the memory
            that torch allocated on the GPU.
    """

    seconds: list[float]
    peak_bytes: dict[str, int]


def time_interleaved(
    variants: Mapping[str, Variant], *, repeats: int, advance: Callable[[], object] = lambda: None
) -> dict[str, VariantTiming]:
    """Time every variant once per round, so that other load on the machine affects all variants.

    Args:
        variants: the variants by name.
        repeats: number of rounds that count. One more round runs first and is discarded.
        advance: called after each round that counts.

    Returns:
        The measurements by the name of the variant.
    """
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pipes = {}
        for name, variant in variants.items():
            parent_end, child_end = context.Pipe()
            process = context.Process(target=_serve, args=(child_end, variant), daemon=True)
            process.start()
            child_end.close()  # otherwise recv() would block forever if the process died
            stack.callback(process.join)
            stack.callback(parent_end.close)
            pipes[name] = parent_end
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        for counts in (False, *[True] * repeats):
            for name, pipe in pipes.items():
                pipe.send(True)
                elapsed = pipe.recv()
                if counts:
                    seconds[name].append(elapsed)
            if counts:
                advance()
        peaks = {}
        for name, pipe in pipes.items():
            pipe.send(False)
            peaks[name] = pipe.recv()
    return {name: VariantTiming(seconds[name], peaks[name]) for name in variants}


def _serve(pipe: Connection, variant: Variant) -> None:
    """Run the work each time the pipe delivers True, and send the seconds; on False, send the peak memory and end."""
    if variant.keeps_memory:
        keep_freed_memory()
    work = variant.make(*variant.arguments)
    while pipe.recv():
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        pipe.send(time.perf_counter() - start)
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    pipe.send({"resident": peak_resident_bytes(), "gpu": gpu})


def compare_variants(
    kind: str, batch_size: int, timings: Mapping[str, VariantTiming], *, reference: str
) -> dict[str, Any]:
    """Return seconds, images per second, speed-up and peak memory of each variant, ready for JSON.

    Args:
        kind: kind of work, such as "training".
        batch_size: images per run.
        timings: the measurements by the name of the variant.
        reference: name of the variant that the speed-ups refer to. Each speed-up divides two times of the same round.
    """
    compared = timings[reference].seconds
    return {
        "kind": kind,
        "batch_size": batch_size,
        "variants": {
            name: {
                "seconds": summarise(timing.seconds),
                "images_per_s": summarise([batch_size / each for each in timing.seconds]),
                "times_as_fast": summarise(
                    [other / each for other, each in zip(compared, timing.seconds, strict=True)]
                ),
                "peak_bytes": timing.peak_bytes,
            }
            for name, timing in timings.items()
        },
    }
