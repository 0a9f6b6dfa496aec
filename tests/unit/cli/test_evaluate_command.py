import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer import Typer
from typer.testing import CliRunner

from realface.cli import evaluate
from realface.evaluation import evaluate as evaluation_module
from realface.evaluation.evaluate import Evaluation
from realface.evaluation.inpainting import InpaintedFaces, summarise_inpainting
from realface.evaluation.scoring import FailedRow
from realface.metrics.localisation import MeasuredCrop, summarise_localisation
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import summarise

app = Typer()
app.command()(evaluate.command)


def build_evaluation(*, failed=(), notes=(), labels=(0, 0, 1, 1), videos="abcd"):
    table = ScoreTable.from_columns(
        path=[str(number) for number in range(len(labels))],
        label=list(labels),
        method=[["FaceSwap", "[red]"][number % 2] if label else None for number, label in enumerate(labels)],
        video=pa.array(list(videos)[: len(labels)], pa.string()),
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
    monkeypatch.setattr(evaluate, "require_artifact", lambda _artifact: None)
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


def test_crops_that_name_no_video_have_no_numbers_by_video(monkeypatch):
    result, _ = run(monkeypatch, build_evaluation(videos=[None] * 4))
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "fakes crops AUC EER AP accuracy" in lines
    assert any(line.startswith("all 2 real, 2 fake 0.750 [") for line in lines)
    assert "-: no interval: only 1 fake crop, at least 2 are needed" in lines
    assert "fake from 0.3500 up (the model's threshold); brackets: 95 % interval over crops" in lines
    assert "there are no numbers by video: no crop names its video, so each counts as its own" in lines
    assert "video AUC" not in result.stdout
    one_class, _ = run(monkeypatch, build_evaluation(videos=[None] * 2, labels=(0, 0)))
    assert "no AUC, EER, AP or accuracy of 2 real and 0 fake crops: only reals here" in one_class.stdout


def test_a_few_crops_that_name_no_video_take_the_interval_by_video(monkeypatch):
    result, _ = run(monkeypatch, build_evaluation(videos=["a", None, "c", "d"]))
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("all 2 real, 2 fake 0.750 0") for line in lines)
    assert "-: no interval over videos: 1 of 4 crops have no video, so each of these crops counts as one video" in lines
    assert any(line.endswith("95 % interval over videos, and over crops that name none") for line in lines)


def test_localisation_of_crops_that_name_no_video_has_no_interval(monkeypatch):
    crops = [MeasuredCrop(f"{n}.png", "Swap", f"{n}.png", 0.8, 0.5, 0.2, 0.05, names_video=False) for n in "ab"]
    localisation = summarise_localisation(crops, left_out={}, num_resamples=20)
    result, _ = run(monkeypatch, replace(build_evaluation(), localisation=localisation))
    assert "where it was forged, 2 fake crops that name no video: pixel AUC 0.800, IoU at equal area 0.500 (" in (
        result.stdout
    )
    assert "-: no interval over videos: no crop has a video" in result.stdout


def test_localisation_is_printed_where_it_was_measured(monkeypatch):
    crops = [
        MeasuredCrop("a.png", "Swap", video, 0.8, 0.5, 0.2, 0.05, "r.png", f"real {video}", 0.03) for video in "ab"
    ]
    localisation = summarise_localisation(crops, left_out={"mask missing": 3}, num_resamples=20)
    result, _ = run(monkeypatch, replace(build_evaluation(), localisation=localisation))
    assert (
        "where it was forged, 2 crops of 2 fake videos: pixel AUC 0.800 [0.800, 0.800], "
        "IoU at equal area 0.500 [0.500, 0.500] (by chance 0.200)\n"
        "error inside the mask: fakes 0.0500, reals 0.0300, "
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
    reason = "no AUC, EER, AP or accuracy of 2 real and 0 fake videos: only reals here; fakes are needed too\n"
    assert reason in result.stdout
    assert "-" not in result.stdout.replace(reason, "").split()  # no table of empty cells


def build_inpainting(units, *, num_real, num_resamples=20):
    """Of an MAE whose error is 0.01, and another baseline's 0.04."""
    errors = {"mae": np.full(len(units), 0.01), "inpainting_baselines": {"harmonic": np.full(len(units), 0.04)}}
    faces = InpaintedFaces([f"{unit}.png" for unit in units], "person", list(units), **errors)
    return summarise_inpainting(faces, num_real=num_real, num_fakes=7, num_resamples=num_resamples)


def test_inpainting_is_printed_where_it_was_measured(monkeypatch):
    evaluation = replace(build_evaluation(labels=(0, 0)), inpainting=build_inpainting("aab", num_real=5))
    result, _ = run(monkeypatch, evaluation)
    assert (
        "inpainting of 3 of 5 real faces of 2 persons, 7 fakes left out; "
        "errors are mean squares over the hidden blocks, of faces in [0, 1]\n"
    ) in result.stdout
    cells = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "MAE 0.01000 [0.01000, 0.01000] 25.5 [25.5, 25.5]" in cells
    assert "harmonic 0.04000 [0.04000, 0.04000] 51.0 [51.0, 51.0] -0.03000 [-0.03000, -0.03000]" in cells
    assert "brackets: 95 % interval over persons; below 0 the MAE is better" in cells


def test_inpainting_over_videos_and_single_crops_says_so(monkeypatch):
    inpainting = replace(build_inpainting("aab", num_real=3), drawn="video or crop")
    result, _ = run(monkeypatch, replace(build_evaluation(labels=(0, 0)), inpainting=inpainting))
    assert "of 2 videos or crops, 7 fakes" in result.stdout


def test_inpainting_without_intervals_says_why(monkeypatch):
    result, _ = run(monkeypatch, replace(build_evaluation(), inpainting=build_inpainting("a", num_real=1)))
    assert "inpainting of 1 real faces of 1 persons" in result.stdout
    assert "-: no interval: only 1 real person, at least 2 are needed" in result.stdout


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
        "--inpainting-faces",
        "9",
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
        "num_inpainted": 9,
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
