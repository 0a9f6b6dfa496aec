import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.main import get_command

from realface.bench.clip import ClipSize
from realface.bench.command_comparisons import compare_preparing, compare_verdicts
from realface.bench.process_cost import ProcessCost
from realface.cli.main import app
from realface.core.errors import MissingInputError

SMALL = ClipSize(height=36, width=64, fps=5, duration_s=1)
COST = ProcessCost(wall_s=2.0, cpu_s=3.0, peak_bytes=4, exit_code=0, output="", errors="")


def parses(arguments: list[str]) -> bool:
    """Whether the command line knows the command and all its options."""
    assert arguments[:2] == ["-m", "realface"]
    command = get_command(app).commands[arguments[2]]  # type: ignore[attr-defined]
    return command.make_context(arguments[2], arguments[3:]) is not None


def test_clips_are_prepared_by_one_worker_and_by_two(tmp_path: Path) -> None:
    comparison = compare_preparing(tmp_path, clips=[SMALL, SMALL])
    assert (list(comparison.cases), comparison.unit) == (["1 worker", "2 workers"], "faces")
    videos, out = tmp_path / "videos", tmp_path / "out"
    assert sorted(path.name for path in (videos / "real").iterdir()) == ["0.mp4", "1.mp4"]
    for number, case in enumerate(comparison.cases.values(), start=1):
        arguments = list(case.arguments(out))
        assert arguments == ["-m", "realface", "prepare", str(videos), str(out), "--workers", str(number)]
        assert parses(arguments)
    assert json.loads(json.dumps(comparison.inputs)) == comparison.inputs


def test_preparing_counts_the_rows_of_the_manifest(tmp_path: Path) -> None:
    case = compare_preparing(tmp_path, clips=[SMALL]).cases["1 worker"]
    assert not case.has_succeeded(COST, tmp_path)
    pq.write_table(pa.table({"path": ["a.png", "b.png"]}), tmp_path / "manifest.parquet")
    assert case.measure(COST, tmp_path).count == 2
    assert case.has_succeeded(COST, tmp_path)
    assert case.has_succeeded(replace(COST, exit_code=2), tmp_path)  # some files were skipped
    assert not case.has_succeeded(replace(COST, exit_code=3), tmp_path)


def test_real_videos_are_prepared_instead_of_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    comparison = compare_preparing(tmp_path, videos=Path("mine"))
    assert comparison.cases["1 worker"].arguments(tmp_path)[3] == str(tmp_path / "mine")
    assert str(tmp_path) not in json.dumps(comparison.inputs)
    with pytest.raises(MissingInputError, match="folder nowhere does not exist"):
        compare_preparing(tmp_path, videos=Path("nowhere"))


def test_verdicts_take_models_and_options_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    comparison = compare_verdicts(
        tmp_path, models={"mine": Path("run")}, device="cpu", batch_size=2, num_frames=4, clip=SMALL
    )
    assert (list(comparison.cases), comparison.unit) == (["mine"], "verdicts")
    case = comparison.cases["mine"]
    arguments = list(case.arguments(tmp_path / "out"))
    options = ["--device", "cpu", "--batch-size", "2", "--frames", "4"]
    clip = str(tmp_path / "clip.mp4")
    assert arguments == ["-m", "realface", "detect", clip, "--model", str(tmp_path / "run"), *options]
    assert parses(arguments)
    assert case.measure(COST, tmp_path).count == 1
    assert case.has_succeeded(COST, tmp_path)
    assert not case.has_succeeded(replace(COST, exit_code=2), tmp_path)


def test_verdicts_are_of_random_weights_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from realface.bench import command_comparisons

    monkeypatch.setattr(command_comparisons, "random_recce", lambda folder, encoder: folder / encoder)
    comparison = compare_verdicts(tmp_path, clip=SMALL)
    assert list(comparison.cases) == ["light_xception", "legacy_xception"]
    assert comparison.cases["light_xception"].arguments(tmp_path)[5] == str(tmp_path / "light_xception")
    assert "--frames" not in comparison.cases["light_xception"].arguments(tmp_path)
