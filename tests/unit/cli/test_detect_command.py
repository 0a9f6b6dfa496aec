import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from realface.cli import detect
from realface.core import shipped
from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import (
    ArtifactError,
    CropSpecError,
    DeviceError,
    FaceDetectorError,
    MediaError,
    MissingInputError,
    OutputExistsError,
)
from realface.detection import overlay
from realface.detection.detector import Detector
from realface.media.images import write_image
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method

app = typer.Typer()
app.command()(detect.command)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RECCE that has learnt nothing, for face crops."""
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": "light_xception", "input_size": 64})
    torch.manual_seed(0)
    card = ArtifactCard(
        method="recce",
        config=config.model_dump(mode="json"),
        input_size=64,
        crop=CropSpec.unknown(),
        purpose="demonstration",
    )
    folder = tmp_path_factory.mktemp("model") / "run" / "artifact"
    save_artifact(folder, method.build_network(config), card)
    return folder


def crop_file(path: Path) -> Path:
    write_image(path, np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    return path


def run(artifact: Path, *arguments: object) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, [*words, "--model", str(artifact), "--crops", "--device", "cpu"])


def test_a_line_per_file_as_recce_prints_it(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "a b é.png")
    result = run(artifact, path)
    assert result.exit_code == 0, result.output
    score, verdict = result.stdout.split(" | ")[1:3]
    assert result.stdout.startswith(f"path: {path} | score: 0.")
    assert len(score) == len("score: 0.1234")
    assert verdict in ("verdict: real", "verdict: fake")
    assert result.stdout.endswith(" | demonstration model: says nothing about real videos\n")


def test_a_run_folder_can_be_named_for_its_artifact(artifact: Path, tmp_path: Path) -> None:
    assert run(artifact.parent, crop_file(tmp_path / "a.png")).exit_code == 0


def test_bad_files_get_a_line_the_rest_go_on_and_the_code_is_2(artifact: Path, tmp_path: Path) -> None:
    crop_file(tmp_path / "folder" / "good.png")
    (tmp_path / "folder" / "a empty.png").write_bytes(b"")
    (tmp_path / "folder" / "text.jpg").write_text("hello")
    (tmp_path / "nothing").mkdir()
    result = run(artifact, tmp_path / "gone.mp4", tmp_path / "folder", tmp_path / "nothing")
    assert result.exit_code == 2
    kinds = [line.split(" | ")[1].split(":")[0] for line in result.stdout.splitlines()]
    assert kinds == ["missing", "empty folder", "empty file", "score", "not an image or video"]
    assert "4 without a verdict (1 missing, 1 empty folder, 1 empty file, 1 not an image or video)" in result.stderr


def test_files_that_a_folder_contains_besides_are_counted(artifact: Path, tmp_path: Path) -> None:
    crop_file(tmp_path / "a.png")
    for name in ("a.txt", "b.txt", "Makefile"):
        (tmp_path / name).write_text("text")
    result = run(artifact, tmp_path)
    assert result.exit_code == 0, result.output
    line = "skipped 3 files that are neither images nor videos: 2 .txt, 1 no suffix\n"
    assert result.stderr.endswith(line)
    summary = json.loads(run(artifact, tmp_path, "--json").stdout)["summary"]
    assert (summary["num_skipped"], summary["skipped"]) == (3, {".txt": 2, "no suffix": 1})


def test_nothing_is_said_of_skipped_files_where_none_are(artifact: Path, tmp_path: Path) -> None:
    crop_file(tmp_path / "a.png")
    assert "skipped" not in run(artifact, tmp_path).stderr


def test_json_is_one_document(artifact: Path, tmp_path: Path) -> None:
    paths = [crop_file(tmp_path / "a.png"), tmp_path / "gone.png"]
    result = run(artifact, *paths, "--json")
    document = json.loads(result.stdout)
    assert {file["path"] for file in document["files"]} == {str(path) for path in paths}
    assert document["summary"]["num_failed"] == 1
    assert document["model"]["note"] == "demonstration model: says nothing about real videos"
    assert result.exit_code == 2


def test_csv_has_a_row_per_file(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["path"] == str(tmp_path / "a.png")
    assert 0 < float(row["score"]) < 1


def test_json_and_csv_together_are_refused(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--csv", "--json")
    assert result.exit_code == 2
    assert "give --json or --csv, not both" in result.output


def test_face_crops_and_how_to_make_them_are_refused_together(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--crop", "default")
    assert result.exit_code == 2
    assert "give --crops for face crops or --crop for how to make them" in result.output


def test_face_crops_and_a_face_detector_are_refused_together(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--face-detector", "mtcnn")
    assert result.exit_code == 2
    assert "give --crops for face crops or --face-detector for what finds" in result.output


def test_a_bad_face_detector_is_said(artifact: Path, tmp_path: Path) -> None:
    words = [str(crop_file(tmp_path / "a.png")), "--model", str(artifact), "--device", "cpu", "--face-detector"]
    for face_detector, error, text in [
        ("haar", CropSpecError, "unknown face detector 'haar'; known: mtcnn, yunet=FILE"),
        ("yunet", CropSpecError, "the face detector yunet comes as a file; give yunet=FILE"),
        ("mtcnn=a.onnx", CropSpecError, "the face detector mtcnn takes no file"),
        ("yunet=gone.onnx", FaceDetectorError, "the face detector's file gone.onnx does not exist"),
    ]:
        crop = ["--crop", str(tmp_path / "crop.yaml")]
        (tmp_path / "crop.yaml").write_text("face_detector: yunet\n")
        result = CliRunner().invoke(app, [*words, face_detector, *crop])
        assert isinstance(result.exception, error)
        assert text in str(result.exception)


def test_faces_are_cut_out_as_told_for_a_model_that_does_not_know_it(artifact: Path, tmp_path: Path) -> None:
    words = [crop_file(tmp_path / "a.png"), "--model", artifact, "--crop", "default", "--device", "cpu", "--json"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    document = json.loads(result.stdout)
    assert document["model"]["crop"]["face_detector"] == "mtcnn"
    assert document["files"][0]["reason"] == "no_face"
    assert "is not known" not in result.stderr


def test_a_file_given_twice_is_judged_once(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "a.png")
    assert len(run(artifact, path, path, tmp_path).stdout.splitlines()) == 1


def test_without_a_model_it_says_what_makes_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path)
    result = CliRunner().invoke(app, ["a.jpg"])
    assert isinstance(result.exception, ArtifactError)
    for word in ("--model ARTIFACT", "realface demo", "realface train", "realface import"):
        assert word in str(result.exception)


def test_a_device_that_is_not_here_is_said(artifact: Path, tmp_path: Path) -> None:
    arguments = [str(tmp_path), "--model", str(artifact), "--crops", "--device", "cuda:99"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, DeviceError)
    assert "cuda:99" in str(result.exception)


def test_a_model_that_does_not_exist_is_said(tmp_path: Path) -> None:
    result = run(tmp_path / "gone", tmp_path)
    assert isinstance(result.exception, MissingInputError)


def test_the_threshold_decides_the_verdict(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "a.png")
    assert "verdict: fake" in run(artifact, path, "--threshold", "0").stdout
    assert "verdict: real" in run(artifact, path, "--threshold", "1").stdout


def test_overlays_are_drawn_into_a_new_folder_and_named_in_the_json(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "in" / "a.png")
    result = run(artifact, path, "--json", "--overlay", tmp_path / "out")
    drawn = Path(json.loads(result.stdout)["files"][0]["overlay"])
    assert drawn == tmp_path / "out" / "a.png.jpg"
    assert drawn.stat().st_size > 0


def test_the_map_to_be_drawn_is_refused_where_nothing_is_drawn(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--map", "attention")
    assert result.exit_code == 2
    assert "--map says what --overlay draws; give --overlay DIR too" in result.output


def test_either_map_is_drawn(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "a.png")
    for kind in ("error_map", "attention"):
        assert run(artifact, path, "--overlay", tmp_path / kind, "--map", kind).exit_code == 0
    drawn = [(tmp_path / kind / "a.png.jpg").read_bytes() for kind in ("error_map", "attention")]
    assert drawn[0] != drawn[1]


def test_a_folder_with_something_in_it_is_not_drawn_into(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--overlay", tmp_path)
    assert isinstance(result.exception, OutputExistsError)
    assert result.stdout == ""


def test_a_file_that_changed_before_it_was_drawn_is_a_failure_of_that_file(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MediaError("a.png changed while it was looked at; try again", reason="unreadable")

    monkeypatch.setattr(overlay, "write_overlay", fail)
    result = run(artifact, crop_file(tmp_path / "a.png"), "--overlay", tmp_path / "out")
    assert result.exit_code == 2
    assert "| unreadable | " in result.stdout


@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_ctrl_c_ends_with_130_having_printed_what_was_done(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str | None
) -> None:
    paths = [crop_file(tmp_path / name) for name in ("a.png", "b.png")]
    judge_all = Detector.detect_many

    def broken_off(self: Detector, files: list[Path]) -> Iterator[object]:
        yield from judge_all(self, files[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Detector, "detect_many", broken_off)
    result = run(artifact, *paths, *([form] if form else []))
    assert result.exit_code == 130
    assert "a.png" in result.stdout
    assert "1 files were not judged" in result.stderr
    if form == "--json":
        document = json.loads(result.stdout)
        assert [file["path"] for file in document["files"]] == [str(paths[0])]
        assert document["summary"]["complete"] is False


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_a_name_that_is_no_unicode_is_printed_with_escapes(artifact: Path, tmp_path: Path, form: str | None) -> None:
    path = crop_file(tmp_path / "plain.png").rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    result = run(artifact, path.parent, *([form] if form else []))
    assert result.exit_code == 0, result.exception
    assert "caf\\udce9.png" in result.stdout


def test_a_model_of_unknown_crops_warns_once_that_nothing_can_be_checked(artifact: Path, tmp_path: Path) -> None:
    files = [str(crop_file(tmp_path / name)) for name in ("a.png", "b.png")]
    answer = CliRunner().invoke(app, [*files, "--crops", "--model", str(artifact)])
    assert answer.stderr.count("how this model's crops were made is not known") == 1


def test_half_precision_is_chosen_and_named_in_the_json(artifact: Path, tmp_path: Path) -> None:
    picture = crop_file(tmp_path / "a.png")
    exact, rounded = (
        json.loads(run(artifact, picture, "--json", "--precision", name).stdout) for name in ("fp32", "bf16")
    )
    assert (exact["model"]["precision"], rounded["model"]["precision"]) == ("fp32", "bf16")


def test_another_precision_is_refused(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, tmp_path, "--precision", "fp8")
    assert result.exit_code == 2
    assert "must be fp32 or bf16, got 'fp8'" in result.output
