"""What can be timed on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realface.bench.command_comparisons import compare_preparing, compare_verdicts
from realface.bench.comparison import Comparison, compare, comparison_table
from realface.bench.decode_bench import bench_decode, decode_table
from realface.bench.decode_comparison import compare_decoding
from realface.bench.loader_bench import bench_loader, loader_table
from realface.bench.machine import describe_machine, load_average
from realface.bench.manifest_bench import bench_manifest, manifest_table
from realface.bench.prepare_bench import bench_prepare, prepare_table
from realface.bench.pseudo_fake_bench import bench_pseudo_fakes, pseudo_fakes_table
from realface.bench.recce_bench import bench_recce, recce_table
from realface.bench.references import has_reference
from realface.bench.rffr_bench import bench_rffr, rffr_table
from realface.bench.source_trees import SourceTree
from realface.bench.verdict_bench import bench_verdict, verdict_table


@dataclass(frozen=True)
class BenchSettings:
    """What a user can set; a benchmark takes what concerns it.

    Attributes:
        repeats: how often each thing is timed.
        models: as for `bench_verdict`; the first is also what `bench_recce` times.
        device: as for `bench_verdict`, `bench_recce` and `bench_rffr`.
        batch_size, num_frames: as for `bench_verdict`, the only one that they concern.
        videos: as for `bench_prepare`; also read by the comparison of `decode` with another commit.
        crops: as for `bench_recce` and `bench_rffr`.
    """

    repeats: int = 5
    models: Mapping[str, Path] | None = None
    device: str = "auto"
    batch_size: int = 16
    num_frames: int | None = None
    videos: Path | None = None
    crops: Path | None = None


@dataclass(frozen=True)
class Benchmark:
    """One thing to time.

    Attributes:
        summary: one line.
        run: settings -> what was measured, ready for JSON.
        table: what was measured -> lines to read.
        comparison: settings and an empty folder for inputs -> what both source trees run for `--against`; None if the
            benchmark cannot be compared with another commit.
        reference: method whose release is timed beside ours, so that the benchmark needs `has_reference(method)`; None
            if the benchmark runs everywhere.
    """

    summary: str
    run: Callable[[BenchSettings], dict[str, Any]]
    table: Callable[[Mapping[str, Any]], list[str]]
    comparison: Callable[[BenchSettings, Path], Comparison] | None = None
    reference: str | None = None


def _run_verdict(settings: BenchSettings) -> dict[str, Any]:
    return bench_verdict(
        settings.models,
        repeats=settings.repeats,
        device=settings.device,
        batch_size=settings.batch_size,
        num_frames=settings.num_frames,
    )


def _run_recce(settings: BenchSettings) -> dict[str, Any]:
    return bench_recce(
        next(iter((settings.models or {}).values()), None),
        repeats=settings.repeats,
        device=settings.device,
        crops=settings.crops,
    )


def _compare_verdicts(settings: BenchSettings, folder: Path) -> Comparison:
    return compare_verdicts(
        folder,
        models=settings.models,
        device=settings.device,
        batch_size=settings.batch_size,
        num_frames=settings.num_frames,
    )


BENCHMARKS: dict[str, Benchmark] = {
    "verdict": Benchmark("from a video to its verdict, by stage", _run_verdict, verdict_table, _compare_verdicts),
    "loader": Benchmark(
        "crops through the training loader, and the wait for them",
        lambda settings: bench_loader(repeats=settings.repeats),
        loader_table,
    ),
    "decode": Benchmark(
        "evenly spread frames of a video, beside decoding all of it",
        lambda settings: bench_decode(repeats=settings.repeats),
        decode_table,
        lambda settings, folder: compare_decoding(folder, videos=settings.videos),
    ),
    "prepare": Benchmark(
        "videos to stored face crops, by one process and by two",
        lambda settings: bench_prepare(settings.videos, repeats=settings.repeats),
        prepare_table,
        lambda settings, folder: compare_preparing(folder, videos=settings.videos),
    ),
    "manifest": Benchmark(
        "a manifest of 3,000,000 rows opened, filtered and drawn from",
        lambda settings: bench_manifest(repeats=settings.repeats),
        manifest_table,
    ),
    "pseudo_fakes": Benchmark(
        "pairs of a real face and its fake, by kind",
        lambda settings: bench_pseudo_fakes(repeats=settings.repeats),
        pseudo_fakes_table,
    ),
    "recce": Benchmark("RECCE beside itself as the release computes it", _run_recce, recce_table, reference="recce"),
    "rffr": Benchmark(
        "RFFR beside itself as the release computes it",
        lambda settings: bench_rffr(repeats=settings.repeats, device=settings.device, crops=settings.crops),
        rffr_table,
        reference="rffr",
    ),
}
"""By name, in the order in which they run."""


def run_benchmark(name: str, settings: BenchSettings) -> dict[str, Any]:
    """Time one thing.

    Returns:
        Ready for JSON: what was measured, and on what machine; `load_average` is that of the minute before, which tells
        whether others were at work on it.
    """
    load = load_average()
    return _described(name, settings, BENCHMARKS[name].run(settings), load)


def run_comparison(name: str, settings: BenchSettings, trees: tuple[SourceTree, SourceTree]) -> dict[str, Any]:
    """Time one thing with this source tree and with another one, by turns.

    Args:
        name: a benchmark that has a comparison.
        settings: as for `run_benchmark`.
        trees: this tree and the other one, from `source_trees`.

    Returns:
        As `run_benchmark`, with what `compare` measured.

    Raises:
        BenchmarkError: as `compare`.
    """
    make = BENCHMARKS[name].comparison
    assert make is not None, name
    load = load_average()
    with tempfile.TemporaryDirectory(prefix="realface-bench-") as temporary:
        inputs, outputs = Path(temporary, "inputs"), Path(temporary, "outputs")
        inputs.mkdir()
        outputs.mkdir()
        comparison = make(settings, inputs)
        measured = compare(comparison, trees, repeats=settings.repeats, folder=outputs, title=f"bench {name}")
    return _described(name, settings, measured, load)


def runnable() -> list[str]:
    """Return the names of the benchmarks that can run here: all in a checkout, else those without a reference."""
    return [
        name
        for name, benchmark in BENCHMARKS.items()
        if benchmark.reference is None or has_reference(benchmark.reference)
    ]


def comparable() -> list[str]:
    """Return the names of the benchmarks that can be compared with another commit."""
    return [name for name, benchmark in BENCHMARKS.items() if benchmark.comparison is not None]


def _described(name: str, settings: BenchSettings, measured: Mapping[str, Any], load: float | None) -> dict[str, Any]:
    return {
        "bench": name,
        "repeats": settings.repeats,
        **measured,
        "load_average": load,
        "machine": describe_machine(),
    }


def table_of(result: Mapping[str, Any]) -> list[str]:
    """Return the lines to read of what `run_benchmark` or `run_comparison` returned."""
    benchmark, machine = BENCHMARKS[result["bench"]], result["machine"]
    table = comparison_table if "against" in result else benchmark.table
    load = "" if result["load_average"] is None else f", load {result['load_average']:.1f} before"
    return [
        f"{result['bench']}: {result.get('summary', benchmark.summary)}",
        f"{machine['processor']}, {machine['threads']} threads{load}; median of {result['repeats']} (least - most)",
        *table(result),
    ]
