import json
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from realface.cli import resynthesise
from realface.evaluation import resynthesis
from realface.evaluation.resynthesis import Resynthesised

app = Typer()
app.command()(resynthesise.command)


def run(monkeypatch, *options, num_without_landmarks=0):
    calls = []

    def compute(*arguments, **keywords):
        calls.append((arguments, keywords))
        return Resynthesised(Path("store"), 40, 30, num_without_landmarks, {"dense-9": 0.1234})

    monkeypatch.setattr(resynthesis, "resynthesise", compute)
    result = CliRunner().invoke(app, ["a.parquet", "b.parquet", "--out", "store", *options])
    assert result.exit_code == 0
    return result, calls[0]


def test_the_command_reports_faces_losses_and_the_store(monkeypatch):
    result, (arguments, keywords) = run(monkeypatch)
    assert result.stdout.splitlines() == [
        "40 faces rendered; autoencoders trained on 30",
        "training loss of dense-9: 0.123",
        "re-synthesised faces: store",
    ]
    assert arguments == ([Path("a.parquet"), Path("b.parquet")], Path("store"))
    assert keywords == {"split": "train", "steps": 1500, "seed": 0, "workers": 0, "quiet": False}


def test_skipped_crops_are_counted(monkeypatch):
    result, _ = run(monkeypatch, num_without_landmarks=3)
    assert "skipped crops without landmarks: 3" in result.stdout


def test_options_are_passed_on_and_json_is_printed(monkeypatch):
    result, (_, keywords) = run(
        monkeypatch, "--split", "all", "--steps", "5", "--seed", "2", "--workers", "1", "--json"
    )
    assert keywords == {"split": "all", "steps": 5, "seed": 2, "workers": 1, "quiet": True}
    assert json.loads(result.stdout) == {
        "out": "store",
        "num_faces": 40,
        "num_trained_on": 30,
        "num_without_landmarks": 0,
        "losses": {"dense-9": 0.1234},
    }
