import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from realface.cli import evaluate
from realface.evaluation import evaluate as evaluation_module
from realface.evaluation.evaluate import Evaluation
from realface.evaluation.scoring import FailedRow
from realface.metrics.localisation import MeasuredCrop, summarise_localisation
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import summarise

app = Typer()
app.command()(evaluate.command)


def build_evaluation(*, failed=(), notes=(), labels=(0, 0, 1, 1)):
    table = ScoreTable.from_columns(
        path=[str(number) for number in range(len(labels))],
        label=list(labels),
        method=[["FaceSwap", "[red]"][number % 2] if label else None for number, label in enumerate(labels)],
        score=[0.1, 0.4, 0.3, 0.9][: len(labels)],
    )
    summary = summarise(table, threshold=0.35, num_resamples=20)
    manifests = [{"path": "faces.parquet", "split": "test", "rows": 4, "rows_in_file": 9}]
    return Evaluation(Path("out"), summary, list(failed), list(notes), {"manifests": manifests, **summary.to_json()})


def run(monkeypatch, evaluation, *options):
    calls = []

    def evaluate_artifact(*arguments, **keywords):
        calls.append((arguments, keywords))
        return evaluation

    monkeypatch.setattr(evaluation_module, "evaluate_artifact", evaluate_artifact)
    result = CliRunner().invoke(app, ["run", "faces.parquet", "--out", "out", *options])
    return result, calls[0]


def test_the_table_has_a_line_for_all_and_for_each_method(monkeypatch):
    result, _ = run(monkeypatch, build_evaluation())
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "faces.parquet: split test, 4 of 9 crops"
    assert any(line.split()[:5] == ["all", "2", "real,", "2", "fake"] and "0.750 [" in line for line in lines)
    assert any(line.split()[0:1] == ["FaceSwap"] for line in lines)
    assert any(line.split()[0:1] == ["[red]"] for line in lines)  # a name is never taken for markup
    assert "-: no interval: only 1 fake video, at least 2 are needed" in lines
    assert "fake from 0.3500 up" in result.stdout


def test_localisation_is_printed_where_it_was_measured(monkeypatch):
    crops = [
        MeasuredCrop("a.png", "Swap", video, 0.8, 0.5, 0.2, 0.05, "r.png", f"real {video}", 0.03) for video in "ab"
    ]
    localisation = summarise_localisation(crops, left_out={"mask missing": 3}, num_resamples=20)
    result, _ = run(monkeypatch, replace(build_evaluation(), localisation=localisation))
    assert (
        "where it was forged, 2 crops of 2 fake videos: pixel AUC 0.800 [0.800, 0.800], "
        "IoU at equal area 0.500 [0.500, 0.500] (by chance 0.200)\n"
        "evidence inside the mask: fakes 0.0500, reals 0.0300, "
        "difference 0.0200 [0.0200, 0.0200], AUC 1.000 [1.000, 1.000]\n"
        "not localised, mask missing: 3\n"
    ) in result.stdout


def test_localisation_without_pairs_says_why(monkeypatch):
    localisation = summarise_localisation(
        [MeasuredCrop("a.png", "Swap", "a", 0.8, 0.5, 0.2, 0.05)], left_out={}, num_resamples=20
    )
    result, _ = run(monkeypatch, replace(build_evaluation(), localisation=localisation))
    assert "fakes 0.0500, reals -, difference -, AUC -" in result.stdout
    assert "-: no real crop of a measured fake's original" in result.stdout


def test_one_class_prints_the_reason_in_place_of_numbers(monkeypatch):
    result, _ = run(monkeypatch, build_evaluation(labels=(0, 0)))
    assert "only reals here; fakes are needed too" in result.stdout


def test_json_is_the_document_and_notes_go_to_stderr(monkeypatch):
    evaluation = build_evaluation(notes=["demonstration model"])
    result, (_, keywords) = run(monkeypatch, evaluation, "--json")
    assert json.loads(result.stdout) == evaluation.document
    assert "realface: note: demonstration model" in result.stderr
    assert keywords["quiet"]


def test_options_are_passed_on(monkeypatch):
    options = [
        "--split",
        "val",
        "--device",
        "cpu",
        "--batch-size",
        "4",
        "--workers",
        "1",
        "--resamples",
        "7",
        "--seed",
        "3",
        "--examples",
        "5",
    ]
    _, (arguments, keywords) = run(monkeypatch, build_evaluation(), *options)
    assert arguments == (Path("run"), [Path("faces.parquet")], Path("out"))
    assert keywords == {
        "split": "val",
        "device": "cpu",
        "batch_size": 4,
        "workers": 1,
        "num_resamples": 7,
        "seed": 3,
        "num_examples": 5,
        "quiet": False,
    }


@pytest.mark.parametrize(("count", "rest"), [(1, None), (12, "2 more, all named in out/metrics.json")])
def test_failed_rows_are_named_and_end_with_code_2(monkeypatch, count, rest):
    failed = [FailedRow(number, f"gone{number}.png", "missing file", "text") for number in range(count)]
    result, _ = run(monkeypatch, build_evaluation(failed=failed))
    assert result.exit_code == 2
    assert "realface: not scored: gone0.png (missing file)" in result.stderr
    assert (rest or "") in result.stderr
    assert "numbers: out/metrics.json" in result.stdout
