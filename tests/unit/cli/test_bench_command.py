import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from realface.bench import verdict_bench
from realface.cli import bench

app = typer.Typer()
app.command()(bench.command)

SECONDS = {stage: {"median": 1.0, "min": 0.5, "max": 2.0} for stage in ("decode", "find", "crop", "score", "total")}
RESULT = {
    "bench": "verdict",
    "clip": {"height": 720, "width": 1280, "fps": 25, "duration_s": 10.0},
    "repeats": 3,
    "models": {
        "light": {"num_frames": 32, "input_size": 128, "load_s": 0.5, "first_s": {"total": 3.0}, "seconds": SECONDS}
    },
    "machine": {"processor": "Fast One", "threads": 2},
}


@pytest.fixture(autouse=True)
def bench_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_bench, "bench_verdict", lambda *_, **__: RESULT)


def test_the_table_names_machine_and_stages_and_the_last_line_is_json() -> None:
    lines = CliRunner().invoke(app, []).stdout.splitlines()
    assert "10 s of 1280 x 720" in lines[0]
    assert "Fast One, 2 threads; median of 3" in lines[0]
    assert any(line.split() == ["find", "1.000", "(0.500", "-", "2.000)"] for line in lines)
    assert json.loads(lines[-1]) == RESULT


def test_the_result_is_written_as_a_new_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "results")])
    assert result.exit_code == 0
    (path,) = (tmp_path / "results").iterdir()
    assert path.name.startswith("verdict-")
    assert json.loads(path.read_text()) == RESULT
