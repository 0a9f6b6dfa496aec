"""Files through the real face detector and a real network, to verdicts, JSON and pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from realface.bench.clip import ClipSize, portrait_frames, write_clip
from realface.cli import detect
from realface.core.artifact import ArtifactCard
from realface.detection.detector import Detector
from realface.detection.verdict import Verdict
from realface.evaluation.scoring import Reading, score_crops
from realface.faces.detectors.registry import default_crop_spec
from realface.manifest.manifest import Manifest
from realface.media.images import read_image, write_image
from realface.media.video_writing import write_video
from realface.media.videos import VideoReader
from realface.models.artifact import load_network, save_artifact
from realface.models.catalog import get_method

SMALL = ClipSize(height=240, width=426, fps=5, duration_s=2.0)
NOTE = "demonstration model: says nothing about real videos"
DOCUMENT = Path(__file__).parents[2] / "docs" / "detect-json.md"

app = typer.Typer()
app.command()(detect.command)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RECCE that has learnt nothing."""
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": "light_xception"})
    torch.manual_seed(0)
    card = ArtifactCard(
        method="recce",
        config=config.model_dump(mode="json"),
        input_size=128,
        crop=default_crop_spec(frames=4),
        purpose="demonstration",
    )
    folder = tmp_path_factory.mktemp("model") / "artifact"
    save_artifact(folder, method.build_network(config), card)
    return folder


@pytest.fixture(scope="module")
def detector(artifact: Path) -> Detector:
    return Detector.load(artifact, device="cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", SMALL)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return next(portrait_frames(ClipSize(height=360, width=480)))


def test_one_person_in_a_video_is_one_track_through_all_frames(detector: Detector, clip: Path) -> None:
    verdict = detector.detect(clip)
    assert [track.num_frames for track in verdict.tracks] == [4]
    assert verdict.score == pytest.approx(np.mean([frame.score for frame in verdict.frames]))
    assert (verdict.width, verdict.height) == (426, 240)


def test_a_face_has_the_score_that_evaluation_gives_its_stored_crop(
    detector: Detector, artifact: Path, clip: Path, tmp_path: Path
) -> None:
    verdict = detector.detect(clip)
    rows: list[dict[str, Any]] = []
    images = {frame.index: frame.image for frame in VideoReader.open(clip).frames(4)}
    for frame in verdict.frames:
        write_image(tmp_path / f"{frame.index}.png", detector.faces.crop(images[frame.index], frame.faces[0].face))
        rows.append({"path": f"{frame.index}.png", "label": 0})
    table = score_crops(
        load_network(artifact),
        Manifest.from_rows(rows, root=tmp_path),
        Reading(input_size=detector.input_size, batch_size=4, device=torch.device("cpu"), quiet=True),
    )
    assert [frame.score for frame in verdict.frames] == pytest.approx(list(table.scores), abs=1e-6)


def test_the_score_is_the_same_one_by_one_and_in_batches(artifact: Path, detector: Detector, clip: Path) -> None:
    alone = Detector.load(artifact, device="cpu", batch_size=1)
    assert alone.detect(clip).score == pytest.approx(detector.detect(clip).score, abs=1e-6)


def test_two_people_in_a_picture_are_both_scored(detector: Detector, portrait: np.ndarray, tmp_path: Path) -> None:
    write_image(tmp_path / "two.png", np.concatenate([portrait, portrait[:, ::-1]], axis=1))
    verdict = detector.detect(tmp_path / "two.png")
    (frame,) = verdict.frames
    assert len(frame.faces) == 2
    assert verdict.score == max(face.score for face in frame.faces)


def test_grey_alpha_palette_cmyk_16_bit_and_animated_pictures_are_judged(
    detector: Detector, portrait: np.ndarray, tmp_path: Path
) -> None:
    picture = Image.fromarray(portrait)
    for mode, name in [("L", "grey.jpg"), ("RGBA", "alpha.png"), ("P", "palette.gif"), ("CMYK", "cmyk.jpg")]:
        picture.convert(mode).save(tmp_path / name)
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    picture.save(tmp_path / "moving.webp", save_all=True, append_images=[picture.rotate(90)])
    answers = list(detector.detect_many(sorted(tmp_path.iterdir())))
    assert [answer.line() for answer in answers if not isinstance(answer, Verdict)] == []
    assert len(answers) == 6


def test_a_picture_turned_by_its_exif_tag_has_its_boxes_in_the_upright_picture(
    detector: Detector, portrait: np.ndarray, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown after a quarter turn clockwise
    lying = Image.fromarray(portrait).transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    write_image(tmp_path / "upright.png", portrait)
    turned, upright = (detector.detect(tmp_path / name) for name in ("turned.jpg", "upright.png"))
    assert (turned.width, turned.height) == (upright.width, upright.height)
    assert turned.frames[0].faces[0].box.overlap(upright.frames[0].faces[0].box) > 0.9


def test_every_bad_file_gets_its_reason_and_the_good_one_its_verdict(
    artifact: Path, clip: Path, portrait: np.ndarray, tmp_path: Path
) -> None:
    write_image(tmp_path / "1 góod.png", portrait)
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "3.jpg").write_text("not a picture")
    (tmp_path / "4.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    write_video(tmp_path / "5.mp4", [np.full((64, 64, 3), 128, np.uint8)] * 3)
    (tmp_path / "6.pgm").write_bytes(b"P5 50000 50000 255\n")
    (tmp_path / "7.mp4").write_text("not a video")
    result = CliRunner().invoke(app, [str(tmp_path), "--model", str(artifact), "--device", "cpu"])
    assert result.exit_code == 2
    first, *others = result.stdout.splitlines()
    assert first.startswith(f"path: {tmp_path}/1 góod.png | score: ")
    assert [line.split(" | ")[1] for line in others] == [
        "empty file",
        "not an image or video",
        "truncated",
        "score: none",
        "too large",
        "not a video",
    ]
    assert others[3] == f"path: {tmp_path}/5.mp4 | score: none | verdict: cannot_say (no_face) | {NOTE}"


def test_overlays_of_a_video_and_a_picture_show_the_heat(
    artifact: Path, clip: Path, portrait: np.ndarray, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png", portrait)
    arguments = [clip, tmp_path / "a.png", "--model", artifact, "--device", "cpu", "--overlay", tmp_path / "out"]
    assert CliRunner().invoke(app, [str(argument) for argument in arguments]).exit_code == 0
    sheet, picture = read_image(tmp_path / "out" / "clip.mp4.jpg"), read_image(tmp_path / "out" / "a.png.jpg")
    assert sheet.shape[1] == 8 + 4 * (300 + 8)
    assert picture.shape[1] == 640


def documented_fields() -> dict[str, set[str]]:
    """Section -> the fields of its table."""
    fields: dict[str, set[str]] = {}
    for section in re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        first_cells = re.findall(r"^\| (`[^|]*) \|", section, flags=re.MULTILINE)
        if first_cells:
            fields[section.splitlines()[0]] = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    return fields


def objects_in(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document with the section that describes it."""
    yield "Document", document
    yield "Model", document["model"]
    yield "Summary", document["summary"]
    for file in document["files"]:
        if "error" in file:
            yield "Failure", file
            yield "Error", file["error"]
            continue
        yield "Verdict", file
        yield "Seconds", file["seconds"]
        yield from (("Track", track) for track in file["tracks"])
        for frame in file["frames"]:
            yield "Frame", frame
            yield from (("Face", face) for face in frame["faces"])


def test_the_json_has_exactly_the_fields_that_are_documented(
    artifact: Path, clip: Path, portrait: np.ndarray, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png", portrait)
    files = [str(path) for path in (clip, tmp_path / "a.png", tmp_path / "gone.png")]
    result = CliRunner().invoke(app, [*files, "--model", str(artifact), "--device", "cpu", "--json"])
    documented, seen = documented_fields(), set()
    for section, found in objects_in(json.loads(result.stdout)):
        assert set(found) == documented[section], section
        seen.add(section)
    assert seen == set(documented)
