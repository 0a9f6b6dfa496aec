"""Run the same programs with the sources of two commits, interleaved in one run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realface.bench.process_cost import ProcessCost, run_measured
from realface.bench.source_trees import SourceTree
from realface.bench.timing_stats import format_stats, summarise
from realface.core.errors import BenchmarkError
from realface.core.progress import progress

RATIOS = ("wall_s", "cpu_s", "peak_bytes")
"""Measurements for which the ratio of the two trees, this to other, is reported. Below 1, this tree takes less."""


@dataclass(frozen=True)
class Measurement:
    """Measurements of one run of a case.

    Attributes:
        wall_s: seconds.
        cpu_s: seconds of user and system time, over all processes.
        peak_bytes: peak memory of the largest process.
        count: number of units of work done, such as frames or faces.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    count: int


def succeeded(cost: ProcessCost, _out: Path) -> bool:
    """Return whether the exit code is 0."""
    return cost.exit_code == 0


@dataclass(frozen=True)
class Case:
    """One program that both source trees run, in a fresh process each time.

    Attributes:
        arguments: takes a path that does not exist, for the program's output, and returns the arguments after
            `python`. They must mean the same at both commits: the public command line, or a script that supports both.
        measure: takes the cost of the process and the output path, and returns the measurements.
        has_succeeded: takes the same arguments as `measure`, and returns whether the run is valid.
    """

    arguments: Callable[[Path], Sequence[str]]
    measure: Callable[[ProcessCost, Path], Measurement]
    has_succeeded: Callable[[ProcessCost, Path], bool] = succeeded


@dataclass(frozen=True)
class Comparison:
    """Programs that a benchmark runs with both source trees.

    Attributes:
        summary: one line that describes the programs.
        unit: unit of work, as a plural noun, such as "frames".
        cases: the programs, by name.
        inputs: JSON-ready description of the files that both trees read.
    """

    summary: str
    unit: str
    cases: Mapping[str, Case]
    inputs: Mapping[str, Any]


def compare(
    comparison: Comparison,
    trees: tuple[SourceTree, SourceTree],
    *,
    repeats: int,
    folder: Path,
    title: str = "bench",
    quiet: bool = False,
) -> dict[str, Any]:
    """Run every case with both source trees, interleaved.

    In each round, each case runs once with each tree, in direct succession. The order changes from round to
    round, so a machine that becomes slower or faster does not favour a tree. One more round runs first and is
    discarded: it compiles the sources and fills the system's file cache.

    Args:
        comparison: the cases.
        trees: this tree and the tree that it is compared with.
        repeats: number of rounds that count.
        folder: an existing folder for outputs, which are removed after each run.
        title: title of the progress bar.
        quiet: show no progress.

    Returns:
        JSON-ready: for each case the wall and CPU seconds, peak bytes, count and units per second of both trees, as
        median, minimum and maximum of the rounds, and the ratios of the two runs of each round.

    Raises:
        BenchmarkError: a program failed, Python does not import a tree's sources, or the sources changed.
    """
    this, other = trees
    for tree in trees:
        _require_own_sources(tree, folder)
    kept: dict[str, dict[str, list[Measurement]]] = {name: {"this": [], "other": []} for name in comparison.cases}
    fingerprints = [tree.fingerprint() for tree in trees]
    with progress(title, 2 * (1 + repeats) * len(kept), unit="runs", quiet=quiet) as bar:
        for number in range(1 + repeats):
            sides = {"this": this, "other": other} if number % 2 else {"other": other, "this": this}
            for name, case in comparison.cases.items():
                for side, tree in sides.items():
                    measured = _run(case, tree, folder, what=name)
                    if number > 0:
                        kept[name][side].append(measured)
                    bar.advance()
            if [tree.fingerprint() for tree in trees] != fingerprints:
                raise BenchmarkError(f"files in {this.sources} changed during the benchmark", hint="run it again")
    return {
        "against": {"revision": other.label, "commit": other.commit, "this_commit": this.commit},
        "summary": comparison.summary,
        "unit": comparison.unit,
        "inputs": dict(comparison.inputs),
        "cases": {name: _summary(sides["this"], sides["other"]) for name, sides in kept.items()},
    }


def comparison_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `compare` as lines of text."""
    against, unit = result["against"], result["unit"]
    label = against["revision"]
    dirty = " with uncommitted changes" if against["this_commit"].endswith("-dirty") else ""
    width = max(len("this tree"), len(label))
    lines = [
        f"  this tree ({against['this_commit'][:12]}{dirty}) against {label} ({against['commit'][:12]})",
        f"  wall and CPU seconds, peak MB of the largest process, {unit} per second",
    ]
    for name, case in result["cases"].items():
        counts = case["this"]["count"], case["other"]["count"]
        done = f"{counts[0]:,} {unit if counts[0] != 1 else unit.removesuffix('s')}"
        done += f" ({label}: {counts[1]:,})" if counts[0] != counts[1] else ""
        lines.append(f"  {name}: {done}")
        for side, shown in (("this", "this tree"), ("other", label)):
            own = case[side]
            megabytes = {key: value / 1e6 for key, value in own["peak_bytes"].items()}
            lines.append(
                f"    {shown:<{width}}  {format_stats(own['wall_s'], '7.3f')}  {format_stats(own['cpu_s'], '7.3f')}  "
                f"{format_stats(megabytes, '5.0f')}  {format_stats(own['per_s'], '7.2f')}"
            )
        ratios = "  ".join(format_stats(case["ratio"][key], "7.3f") for key in RATIOS)
        lines.append(f"    {'ratio':<{width}}  {ratios}")
    return lines


def whole_process(count: Callable[[ProcessCost, Path], int]) -> Callable[[ProcessCost, Path], Measurement]:
    """Return a `Case.measure` for the cost of the process from start to end.

    Args:
        count: takes the cost of the process and the output path, and returns the number of units of work done.
    """

    def measure(cost: ProcessCost, out: Path) -> Measurement:
        return Measurement(cost.wall_s, cost.cpu_s, cost.peak_bytes, count(cost, out))

    return measure


def _require_own_sources(tree: SourceTree, folder: Path) -> None:
    """Refuse an environment in which Python does not import the tree's `realface`."""
    command = [sys.executable, "-c", "import realface; print(realface.__file__)"]
    cost = run_measured(command, environment=tree.environment(), folder=folder)
    found = cost.output.strip()
    if not Path(found).resolve().is_relative_to(tree.sources.resolve()):
        raise BenchmarkError(
            f"Python imports realface from {found or 'nowhere'}, not from {tree.sources}",
            hint="install the package with `pip install -e .` and run the benchmark again",
        )


def _run(case: Case, tree: SourceTree, folder: Path, *, what: str) -> Measurement:
    """Run a case once, and remove its output."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        out = Path(temporary, "out")
        command = [sys.executable, *case.arguments(out)]
        cost = run_measured(command, environment=tree.environment(), folder=Path(temporary))
        if not case.has_succeeded(cost, out):
            said = cost.errors.strip().splitlines() or ["no message"]
            raise BenchmarkError(
                f"{what} failed with {tree.label} (exit code {cost.exit_code}): {said[-1]}",
                hint="give a revision or files with which it runs",
            )
        return case.measure(cost, out)


def _summary(this: Sequence[Measurement], other: Sequence[Measurement]) -> dict[str, Any]:
    """Return both trees' measurements and their ratios, round by round."""
    return {
        "this": _spreads(this),
        "other": _spreads(other),
        "ratio": {
            key: summarise([getattr(own, key) / getattr(theirs, key) for own, theirs in zip(this, other, strict=True)])
            for key in RATIOS
        },
    }


def _spreads(runs: Sequence[Measurement]) -> dict[str, Any]:
    return {
        **{key: summarise([getattr(run, key) for run in runs]) for key in RATIOS},
        "per_s": summarise([run.count / run.wall_s for run in runs]),
        "count": runs[0].count,
    }
