import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from realface.bench import benchmarks, source_trees
from realface.bench.benchmarks import BENCHMARKS, Benchmark, BenchSettings, comparable
from realface.bench.comparison import Comparison
from realface.bench.source_trees import SourceTree
from realface.cli import bench
from realface.cli.main import run
from realface.core.errors import BenchmarkError

app = typer.Typer()
app.command()(bench.command)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, BenchSettings]]:
    """What was run, with its settings; nothing is timed."""
    runs: list[tuple[str, BenchSettings]] = []

    def instant(name: str) -> Benchmark:
        def run(settings: BenchSettings) -> dict[str, Any]:
            runs.append((name, settings))
            return {"seconds": 1.5}

        comparison = BENCHMARKS[name].comparison
        return Benchmark(f"how fast {name} is", run, lambda result: [f"  {result['seconds']} s"], comparison)

    for name in BENCHMARKS:
        monkeypatch.setitem(BENCHMARKS, name, instant(name))
    return runs


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was compared, in order; no worktree is made, and nothing is timed."""
    events: list[Any] = []

    @contextmanager
    def both_trees(revision: str) -> Iterator[tuple[SourceTree, SourceTree]]:
        if revision == "nonsense":
            raise BenchmarkError("unknown revision 'nonsense'", hint="give another")
        events.append(f"worktree of {revision}")
        try:
            yield SourceTree("this tree", "a" * 40, Path("a")), SourceTree(revision, "b" * 40, Path("b"))
        finally:
            events.append("removed")

    def compare(comparison: Comparison, trees: Any, *, repeats: int, folder: Path, title: str) -> dict[str, Any]:
        events.append((comparison, repeats))
        if comparison.unit == "stopped":
            os.kill(os.getpid(), signal.SIGTERM)
        against = {"revision": trees[1].label, "commit": trees[1].commit, "this_commit": trees[0].commit}
        return {"against": against, "unit": comparison.unit, "cases": {}}

    for name in comparable():
        comparison = Comparison("", name, {}, {})
        benchmark = Benchmark("", lambda settings: {}, lambda result: [], lambda _s, _f, made=comparison: made)
        monkeypatch.setitem(BENCHMARKS, name, benchmark)
    monkeypatch.setattr(source_trees, "source_trees", both_trees)
    monkeypatch.setattr(benchmarks, "compare", compare)
    return events


def test_without_a_name_all_are_timed_and_the_last_line_is_json(asked: list[tuple[str, BenchSettings]]) -> None:
    lines = CliRunner().invoke(app, []).stdout.splitlines()
    assert [name for name, _ in asked] == list(BENCHMARKS)
    assert [lines[0], lines[2]] == ["verdict: how fast verdict is", "  1.5 s"]
    results = json.loads(lines[-1])
    assert list(results) == list(BENCHMARKS)
    assert all(results[name]["bench"] == name and "machine" in results[name] for name in BENCHMARKS)


def test_what_is_named_is_timed_once(asked: list[tuple[str, BenchSettings]]) -> None:
    lines = CliRunner().invoke(app, ["loader", "loader", "--repeats", "2"]).stdout.splitlines()
    assert asked == [("loader", BenchSettings(repeats=2))]
    assert list(json.loads(lines[-1])) == ["loader"]


def test_without_a_checkout_benchmarks_with_a_reference_are_skipped(
    asked: list[tuple[str, BenchSettings]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BENCHMARKS, "rffr", replace(BENCHMARKS["rffr"], reference="unreleased"))
    result = CliRunner().invoke(app, [])
    assert [name for name, _ in asked] == [name for name in BENCHMARKS if name != "rffr"]
    assert result.stderr == "skipped: rffr (only available in a checkout of the repository)\n"


def test_a_named_benchmark_without_its_reference_is_refused_before_timing(
    asked: list[tuple[str, BenchSettings]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BENCHMARKS, "rffr", replace(BENCHMARKS["rffr"], reference="unreleased"))
    assert run(["bench", "loader", "rffr"]) == 2
    assert asked == []
    stderr = capsys.readouterr().err
    assert (
        "benchmark unreleased compares with a re-implementation of the authors' release that is not installed" in stderr
    )
    assert "hint: clone the repository, install it with `pip install -e .`, and run the benchmark there" in stderr


def test_options_of_the_verdict_are_passed_on(asked: list[tuple[str, BenchSettings]]) -> None:
    options = ["--model", "a", "--model", "b", "--device", "cpu", "--batch-size", "3", "--frames", "4"]
    assert CliRunner().invoke(app, ["verdict", *options]).exit_code == 0
    models = {"a": Path("a"), "b": Path("b")}
    assert asked == [("verdict", BenchSettings(models=models, device="cpu", batch_size=3, num_frames=4))]


def test_options_of_recce_are_passed_on(asked: list[tuple[str, BenchSettings]]) -> None:
    options = ["--model", "a", "--device", "cpu", "--crops", "faces"]
    assert CliRunner().invoke(app, ["recce", *options]).exit_code == 0
    assert asked == [("recce", BenchSettings(models={"a": Path("a")}, device="cpu", crops=Path("faces")))]


def test_an_unknown_name_is_answered_with_the_known_ones(asked: list[tuple[str, BenchSettings]]) -> None:
    result = CliRunner().invoke(app, ["verdict", "speed"])
    assert result.exit_code == 2
    message = " ".join(result.stderr.replace("│", " ").split())
    assert f"unknown benchmark 'speed'; use one of {', '.join(BENCHMARKS)}" in message
    assert asked == []


def test_the_help_names_all() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert all(f" {name}: " in text for name in BENCHMARKS)


def test_each_result_is_written_as_a_new_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "results")])
    assert result.exit_code == 0
    written = {path.name.split("-")[0]: json.loads(path.read_text()) for path in (tmp_path / "results").iterdir()}
    assert written == json.loads(result.stdout.splitlines()[-1])


def test_another_commit_is_compared_in_one_worktree(compared: list[Any]) -> None:
    result = CliRunner().invoke(app, ["decode", "prepare", "--against", "v1", "--repeats", "2"])
    assert result.exit_code == 0
    made = [(Comparison("", name, {}, {}), 2) for name in ("decode", "prepare")]
    assert compared == ["worktree of v1", *made, "removed"]
    results = json.loads(result.stdout.splitlines()[-1])
    assert list(results) == ["decode", "prepare"]
    assert results["decode"]["against"]["revision"] == "v1"


def test_without_a_name_all_that_can_be_are_compared(compared: list[Any]) -> None:
    result = CliRunner().invoke(app, ["--against", "v1"])
    assert list(json.loads(result.stdout.splitlines()[-1])) == comparable()


def test_a_comparison_is_written_under_the_commit_it_is_against(compared: list[Any], tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["decode", "--against", "v1", "--out", str(tmp_path)]).exit_code == 0
    (written,) = tmp_path.iterdir()
    assert written.name.startswith("decode-against-bbbbbbbbbbbb-")
    assert json.loads(written.read_text())["against"]["commit"] == "b" * 40


def test_what_cannot_be_compared_is_answered_with_what_can(compared: list[Any]) -> None:
    result = CliRunner().invoke(app, ["decode", "loader", "--against", "v1"])
    assert result.exit_code == 2
    message = " ".join(result.stderr.replace("│", " ").split())
    assert "benchmark loader does not support --against; use verdict, decode, prepare" in message
    assert compared == []


def test_an_unknown_revision_ends_with_code_2(compared: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "decode", "--against", "nonsense"]) == 2
    assert capsys.readouterr().err == "error: unknown revision 'nonsense'\nhint: give another\n"


def test_sigterm_ends_a_comparison_and_removes_the_worktree(
    compared: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = Comparison("", "stopped", {}, {})
    monkeypatch.setitem(BENCHMARKS, "decode", Benchmark("", lambda s: {}, lambda r: [], lambda _s, _f: stopped))
    before = signal.getsignal(signal.SIGTERM)
    assert run(["bench", "decode", "--against", "v1"]) == 128 + signal.SIGTERM
    assert compared[-1] == "removed"
    assert capsys.readouterr().err == "realface: stopped by SIGTERM\n"
    assert signal.getsignal(signal.SIGTERM) == before
