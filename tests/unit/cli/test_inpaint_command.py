import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from realface.cli import inpaint
from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError, MissingInputError, ModelInputError, OutputExistsError
from realface.detection.inpainting import InpaintedFile, Inpainter
from realface.media.images import write_image
from realface.media.video_writing import write_video
from realface.models.artifact import save_artifact
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae_network import RffrMae

app = typer.Typer()
app.command()(inpaint.command)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MAE of 8 x 8 patches that has learnt nothing, for face crops."""
    torch.manual_seed(0)
    config = MaeConfig(size="tiny", input_size=64, patch_size=8)
    card = ArtifactCard(
        method="rffr-mae",
        config=config.model_dump(mode="json"),
        input_size=64,
        crop=CropSpec.unknown(),
        purpose="demonstration",
    )
    folder = tmp_path_factory.mktemp("model") / "run" / "artifact"
    save_artifact(folder, RffrMae(config), card)
    return folder


def crop_file(path: Path) -> Path:
    write_image(path, np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    return path


def run(artifact: Path, *arguments: object, crops: bool = True) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, [str(artifact), *words, "--device", "cpu", *(["--crops"] if crops else [])])


def test_a_line_per_file_names_its_sheet(artifact: Path, tmp_path: Path) -> None:
    path, out = crop_file(tmp_path / "a b é.png"), tmp_path / "out"
    result = run(artifact.parent, path, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"path: {path} | sheet: {out / 'a b é.png.jpg'} | faces: 1 | mean error: ")
    assert (out / "a b é.png.jpg").stat().st_size > 0


def test_bad_files_get_a_line_the_rest_go_on_and_the_code_is_2(artifact: Path, tmp_path: Path) -> None:
    crop_file(tmp_path / "folder" / "good.png")
    (tmp_path / "folder" / "a empty.png").write_bytes(b"")
    (tmp_path / "folder" / "text.jpg").write_text("hello")
    (tmp_path / "nothing").mkdir()
    result = run(artifact, tmp_path / "gone.mp4", tmp_path / "folder", tmp_path / "nothing", "--out", tmp_path / "out")
    assert result.exit_code == 2
    kinds = [line.split(" | ")[1].split(":")[0] for line in result.stdout.splitlines()]
    assert kinds == ["missing", "empty folder", "empty file", "sheet", "not an image or video"]
    assert "5 files: 1 sheets of 1 faces, 4 without a sheet (" in result.stderr
    assert "(1 missing, 1 empty folder, 1 empty file, 1 not an image or video)" in result.stderr


def test_files_that_a_folder_contains_besides_are_counted(artifact: Path, tmp_path: Path) -> None:
    folder = crop_file(tmp_path / "in" / "a.png").parent
    (folder / "a.txt").write_text("text")
    result = run(artifact, folder, "--json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stderr.endswith("skipped 1 file that is neither an image nor a video: 1 .txt\n")
    summary = json.loads(result.stdout)["summary"]
    assert (summary["num_skipped"], summary["skipped"]) == (1, {".txt": 1})


def test_json_lists_sheets_faces_boxes_and_errors(artifact: Path, tmp_path: Path) -> None:
    picture, clip = crop_file(tmp_path / "a.png"), tmp_path / "clip.mp4"
    write_video(clip, [np.full((64, 64, 3), 90, np.uint8)] * 6)
    words = [picture, clip, tmp_path / "gone.png", "--json", "--frames", 3, "--block", "2,4", "--out", tmp_path / "out"]
    result = run(artifact, *words)
    document = json.loads(result.stdout)
    gone, first, second = document["files"]
    assert (document["format"], document["model"]["block"]) == (1, [2, 4])
    assert gone["error"]["reason"] == "missing"
    assert first["sheet"] == str(tmp_path / "out" / "a.png.jpg")
    assert first["faces"][0] == {
        "index": 0,
        "time_s": 0.0,
        "box": [0, 0, 64, 64],
        "track": 0,
        "block": [2, 4],
        "error": first["mean_error"],
    }
    assert (second["kind"], len(second["faces"])) == ("video", 3)
    assert document["summary"] == {
        "num_files": 3,
        "num_sheets": 2,
        "num_faces": 4,
        "num_failed": 1,
        "failures": {"missing": 1},
        "num_skipped": 0,
        "skipped": {},
        "complete": True,
    }
    assert result.exit_code == 2


def test_a_sheet_can_be_made_again(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "a.png")
    for folder, seed in (("x", 0), ("y", 0), ("z", 1)):
        run(artifact, path, "--seed", seed, "--out", tmp_path / folder)
    first, again, other = ((tmp_path / folder / "a.png.jpg").read_bytes() for folder in ("x", "y", "z"))
    assert first == again != other


def test_all_blocks_are_inpainted_exactly_or_fast(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "a.png")
    for mode in ("exact", "fast"):
        result = run(artifact, path, "--block", "all", "--residual", mode, "--json", "--out", tmp_path / mode)
        assert json.loads(result.stdout)["model"]["residual"] == mode


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--block", "some"], "--block must be random, all, or a row and a column such as 4,7, got 'some'"),
        (["--block", "1,2,3"], "got '1,2,3'"),
        (["--block", "-1,2"], "got '-1,2'"),
        (["--residual", "fast"], "--residual says how all blocks are inpainted; give --block all too"),
        (["--crop", "default"], "give --crops for face crops or --crop for how to make them"),
        (["--face-detector", "mtcnn"], "give --crops for face crops or --face-detector for what finds faces, not both"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_made(
    artifact: Path, tmp_path: Path, words: list[str], text: str
) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        app, [str(artifact), str(tmp_path), "--out", str(tmp_path / "out"), "--crops", *words]
    )
    assert result.exit_code == 2
    assert text in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_block_outside_the_face_is_refused_with_those_that_fit(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--block", "6,0", "--out", tmp_path / "out")
    assert isinstance(result.exception, ModelInputError)
    assert "give a row and a column from 0 to 5" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_not_written_to(artifact: Path, tmp_path: Path) -> None:
    result = run(artifact, crop_file(tmp_path / "a.png"), "--out", tmp_path)
    assert isinstance(result.exception, OutputExistsError)
    assert result.stdout == ""


def test_an_artifact_that_does_not_exist_is_said(tmp_path: Path) -> None:
    result = run(tmp_path / "gone", tmp_path, "--out", tmp_path / "out")
    assert isinstance(result.exception, MissingInputError)


def test_a_folder_that_is_no_artifact_is_said(tmp_path: Path) -> None:
    result = run(tmp_path, tmp_path, "--out", tmp_path / "out")
    assert isinstance(result.exception, ArtifactError)


def test_faces_are_cut_out_as_told_for_an_mae_that_does_not_know_it(artifact: Path, tmp_path: Path) -> None:
    words = [crop_file(tmp_path / "a.png"), "--crop", "default", "--out", tmp_path / "out"]
    result = run(artifact, *words, crops=False)
    assert result.exit_code == 2
    assert "| no face found" in result.stdout
    assert "is not known" not in result.stderr


def test_an_mae_of_unknown_crops_warns_once_that_nothing_can_be_checked(artifact: Path, tmp_path: Path) -> None:
    files = [crop_file(tmp_path / name) for name in ("a.png", "b.png")]
    answer = run(artifact, *files, "--out", tmp_path / "out")
    assert answer.stderr.count("how this model's crops were made is not known") == 1


@pytest.mark.parametrize("form", ["--json", None])
def test_ctrl_c_ends_with_130_having_printed_what_was_done(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str | None
) -> None:
    paths = [crop_file(tmp_path / name) for name in ("a.png", "b.png")]
    inpaint_one = Inpainter.inpaint

    def broken_off(self: Inpainter, path: Path) -> InpaintedFile:
        if path == paths[1]:
            raise KeyboardInterrupt
        return inpaint_one(self, path)

    monkeypatch.setattr(Inpainter, "inpaint", broken_off)
    result = run(artifact, *paths, *([form] if form else []), "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "a.png" in result.stdout
    assert "1 files were not inpainted" in result.stderr
    if form:
        document = json.loads(result.stdout)
        assert [file["path"] for file in document["files"]] == [str(paths[0])]
        assert document["summary"]["complete"] is False


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_unicode_is_drawn_and_printed_with_escapes(artifact: Path, tmp_path: Path) -> None:
    path = crop_file(tmp_path / "plain.png").rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    result = run(artifact, path.parent, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.exception
    assert "caf\\udce9.png" in result.stdout
