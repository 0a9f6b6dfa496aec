import json
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from realface.cli import residuals
from realface.data.residual_store import ResidualHeader
from realface.evaluation import residuals as residuals_module
from realface.evaluation.residuals import ComputedResiduals
from realface.evaluation.scoring import FailedRow

app = Typer()
app.command()(residuals.command)

HEADER = ResidualHeader(mae="ab" * 32, input_size=8, mode="exact", outer_ring=False, amplification=4.0, covered=(2, 6))


def run(monkeypatch, *options, failed=(), notes=()):
    calls = []

    def compute_residuals(*arguments, **keywords):
        calls.append((arguments, keywords))
        return ComputedResiduals(Path("store"), HEADER, 7, 3, list(failed), list(notes))

    monkeypatch.setattr(residuals_module, "compute_residuals", compute_residuals)
    result = CliRunner().invoke(app, ["mae", "a.parquet", "b.parquet", "--out", "store", *options])
    return result, calls[0]


def test_tells_what_was_computed_and_of_what(monkeypatch):
    result, (arguments, keywords) = run(monkeypatch)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "3 residuals computed, 7 were there",
        "residuals: store (MAE abababababab, 8 px, exact, without the outer ring, amplification 4, fp32, float32)",
    ]
    assert arguments == (Path("mae"), [Path("a.parquet"), Path("b.parquet")], Path("store"))
    assert {keywords[name] for name in ("mode", "outer_ring", "chunk_size")} == {None}
    assert keywords["quiet"] is False


def test_options_are_passed_on(monkeypatch):
    options = "--mode fast --outer-ring --precision bf16 --dtype float16 --device cpu --batch-size 4 --chunk-size 99"
    _, (_, keywords) = run(monkeypatch, *options.split(), "--workers", "1", "--json")
    assert keywords == {
        "mode": "fast",
        "outer_ring": True,
        "precision": "bf16",
        "dtype": "float16",
        "device": "cpu",
        "batch_size": 4,
        "chunk_size": 99,
        "workers": 1,
        "quiet": True,
    }


def test_lost_crops_are_counted_and_named_and_end_with_code_2(monkeypatch):
    failed = [FailedRow(number, f"gone{number}.png", "missing file", "text") for number in range(12)]
    result, _ = run(monkeypatch, failed=failed)
    assert result.exit_code == 2
    assert result.stderr.count("realface: not computed: gone") == 10
    assert "skipped, missing file: 12\nskipped crops with their reasons: store/skipped.csv\n" in result.stdout


def test_a_note_is_told_once(monkeypatch):
    result, _ = run(monkeypatch, notes=["crops unknown"])
    assert result.exit_code == 0
    assert result.stderr.splitlines() == ["realface: note: crops unknown"]


def test_json_has_everything(monkeypatch):
    result, _ = run(
        monkeypatch, "--json", failed=[FailedRow(1, "gone.png", "missing file", "text")], notes=["crops unknown"]
    )
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "out": "store",
        "header": HEADER.model_dump(mode="json"),
        "computed": 3,
        "there": 7,
        "notes": ["crops unknown"],
        "skipped": {"missing file": 1},
        "failed": [{"path": "gone.png", "reason": "missing file"}],
    }


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def broken_off(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(residuals_module, "compute_residuals", broken_off)
    result = CliRunner().invoke(app, ["mae", "a.parquet", "--out", "store"])
    assert "run the same command to continue" in result.stderr
