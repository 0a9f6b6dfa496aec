"""The benchmarks by name, and functions to run and compare them."""

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
    """Settings of a user. Each benchmark uses only the settings that apply to it.

    Attributes:
        repeats: number of times that each variant is timed.
        models: artifacts by name. `bench_verdict` times all, `bench_recce` the first.
        device: device of `bench_verdict`, `bench_recce` and `bench_rffr`, such as `cpu`, `cuda` or `auto`.
        batch_size: faces per batch in `bench_verdict`.
        num_frames: frames per video in `bench_verdict`; the artifact's setting when None.
        videos: folder of videos for `bench_prepare`, and for comparing `decode` with another commit; generated videos
            when None.
        crops: folder or manifest of face crops for `bench_recce` and `bench_rffr`; two portraits when None.
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
        run: takes the settings and returns the measurements, ready for JSON.
        table: takes the measurements and returns lines of text.
        comparison: takes the settings and an empty folder for inputs, and returns the programs that both source trees
            run for `--against`; None if the benchmark cannot be compared with another commit.
        reference: method that is compared with its authors' release, so the benchmark needs `has_reference(method)`;
            None if the benchmark runs everywhere.
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
        "evenly spread frames of a video, compared with decoding the whole video",
        lambda settings: bench_decode(repeats=settings.repeats),
        decode_table,
        lambda settings, folder: compare_decoding(folder, videos=settings.videos),
    ),
    "prepare": Benchmark(
        "videos to stored face crops, with one process and with two",
        lambda settings: bench_prepare(settings.videos, repeats=settings.repeats),
        prepare_table,
        lambda settings, folder: compare_preparing(folder, videos=settings.videos),
    ),
    "manifest": Benchmark(
        "open, filter and sample a manifest of 3,000,000 rows",
        lambda settings: bench_manifest(repeats=settings.repeats),
        manifest_table,
    ),
    "pseudo_fakes": Benchmark(
        "pairs of a real face and its fake, by kind",
        lambda settings: bench_pseudo_fakes(repeats=settings.repeats),
        pseudo_fakes_table,
    ),
    "recce": Benchmark(
        "RECCE compared with a re-implementation of its release", _run_recce, recce_table, reference="recce"
    ),
    "rffr": Benchmark(
        "RFFR compared with a re-implementation of its release",
        lambda settings: bench_rffr(repeats=settings.repeats, device=settings.device, crops=settings.crops),
        rffr_table,
        reference="rffr",
    ),
}
"""The benchmarks by name, in the order in which they run."""


def run_benchmark(name: str, settings: BenchSettings) -> dict[str, Any]:
    """Run one benchmark.

    Args:
        name: name of the benchmark.
        settings: settings of the user.

    Returns:
        The measurements and a description of the machine, ready for JSON. `load_average` is the load in the minute
        before; a high value means that other programs were running.
    """
    load = load_average()
    return _described(name, settings, BENCHMARKS[name].run(settings), load)


def run_comparison(name: str, settings: BenchSettings, trees: tuple[SourceTree, SourceTree]) -> dict[str, Any]:
    """Compare two source trees with one benchmark, their runs interleaved.

    Args:
        name: name of a benchmark that has a comparison.
        settings: settings of the user.
        trees: this tree and the tree that it is compared with, from `source_trees`.

    Returns:
        The result of `compare`, a description of the machine and its load, ready for JSON.

    Raises:
        BenchmarkError: `compare` failed.
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
    """Return the names of the benchmarks that can run here. A benchmark with a reference needs a checkout."""
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
    """Return a result of `run_benchmark` or `run_comparison` as lines of text."""
    benchmark, machine = BENCHMARKS[result["bench"]], result["machine"]
    table = comparison_table if "against" in result else benchmark.table
    load = "" if result["load_average"] is None else f", load {result['load_average']:.1f} before"
    return [
        f"{result['bench']}: {result.get('summary', benchmark.summary)}",
        f"{machine['processor']}, {machine['threads']} threads{load}; median of {result['repeats']} (least - most)",
        *table(result),
    ]
