import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from realface.bench.benchmarks import BENCHMARKS, Benchmark, BenchSettings
from realface.cli import bench

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

        return Benchmark(f"how fast {name} is", run, lambda result: [f"  {result['seconds']} s"])

    for name in BENCHMARKS:
        monkeypatch.setitem(BENCHMARKS, name, instant(name))
    return runs


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
    assert f"nothing to time is called 'speed'; known: {', '.join(BENCHMARKS)}" in message
    assert asked == []


def test_the_help_names_all() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert all(f" {name}: " in text for name in BENCHMARKS)


def test_each_result_is_written_as_a_new_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "results")])
    assert result.exit_code == 0
    written = {path.name.split("-")[0]: json.loads(path.read_text()) for path in (tmp_path / "results").iterdir()}
    assert written == json.loads(result.stdout.splitlines()[-1])
