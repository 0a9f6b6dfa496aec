"""`realface calibrate` with what `detect` would have printed, and with what it cannot use."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
import torch

from realface.cli.main import run
from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.detection.detector import Detector
from realface.media.images import write_image
from realface.models.artifact import load_network, read_card, save_artifact
from realface.models.catalog import get_method

REALS = [(f"real/{number}.jpg", number / 100) for number in range(40)]
FAKES = [(f"fake/{number}.jpg", 0.2 + number / 100) for number in range(40)]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": "light_xception", "input_size": 64})
    card = ArtifactCard(
        method="recce", config=config.model_dump(mode="json"), input_size=64, crop=CropSpec(frames=8), threshold=0.5
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "artifact"
    save_artifact(folder, method.build_network(config), card)
    return folder


def entry(path: str, scores: list[float | None], *, size: float = 100, sharpness: float = 0.5) -> dict:
    """A file as it stands in the document: one face in each frame that has a score."""
    face = {"box": [0, 0, size, size], "track": 0, "found": 1.0, "sharpness": sharpness}
    frames = [
        {
            "index": index,
            "time_s": 0.0,
            "width": 200,
            "height": 200,
            "faces": [] if score is None else [face | {"score": score}],
        }
        for index, score in enumerate(scores)
    ]
    return {"path": path, "kind": "image" if len(scores) == 1 else "video", "frames": frames}


def document(artifact: Path, path: Path, files: list[dict], *, complete: bool = True, **changes: object) -> Path:
    model = {
        "weights_sha256": read_card(artifact).weights_sha256,
        "crop": {},
        "input_size": 64,
        "num_frames": 8,
    }
    content = {"format": 2, "model": model | changes, "files": files, "summary": {"complete": complete}}
    path.write_text(json.dumps(content))
    return path


def table(path: Path, *rows: tuple[str, str, str, str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "source", "identity", "label"), *rows])
    return path


def rows_of(files: list[dict]) -> list[tuple[str, str, str, str]]:
    """One person per file; the folder is the label."""
    return [(file["path"], "lfw", file["path"], file["path"].split("/")[0]) for file in files]


@pytest.fixture
def images() -> list[dict]:
    return [entry(path, [score]) for path, score in [*REALS, *FAKES]]


def calibrate(artifact: Path, verdicts: Path, identities: Path, out: Path, *more: str) -> int:
    words = ["--verdicts", str(verdicts), "--identities", str(identities), "--out", str(out)]
    return run(["calibrate", str(artifact), *words, *more])


def test_the_bands_of_images_come_from_reals_and_fakes(
    artifact: Path, tmp_path: Path, images: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = document(artifact, tmp_path / "verdicts.json", images)
    identities = table(tmp_path / "files.csv", *rows_of(images))
    assert calibrate(artifact, verdicts, identities, tmp_path / "out") == 0
    card = read_card(tmp_path / "out")
    band = card.calibration.image
    # the 39th of 40 people is at 0.38; the 4th of 40 fakes is at 0.23
    assert (band.real_below, band.fake_from) == (pytest.approx(0.23), pytest.approx(0.38))
    assert band.fake_from > 0.38
    assert card.calibration.video is None
    assert (card.validated_on.min_face_size, card.validated_on.min_frames) == (100, 2)
    assert card.validated_on.share_answered == 1.0
    hashes = {one.name: one.sha256 for one in card.calibration.tables}
    assert hashes["files.csv"] == hashlib.sha256(identities.read_bytes()).hexdigest()
    assert [(one.name, one.label, one.images) for one in card.calibration.sources] == [
        ("lfw", "real", 40),
        ("lfw", "fake", 40),
    ]
    printed = capsys.readouterr().out.splitlines()
    assert "images: real below 0.2300, fake from 0.3800; called fake: lfw 2.5%" in printed
    assert "  fakes found 52.5%, called real 7.5%" in printed
    assert "note: no video will get a verdict: the tables have no real video with a face" in printed


def test_the_copy_has_the_same_weights_and_decides_by_its_band(
    artifact: Path, tmp_path: Path, images: list[dict]
) -> None:
    verdicts = document(artifact, tmp_path / "verdicts.json", images)
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", *rows_of(images)), tmp_path / "out") == 0
    before, after = (load_network(folder).state_dict() for folder in (artifact, tmp_path / "out"))
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    write_image(tmp_path / "a.png", torch.zeros(64, 64, 3, dtype=torch.uint8).numpy())
    verdict = Detector.load(tmp_path / "out", crops=True, device="cpu").detect(tmp_path / "a.png")
    assert (verdict.outcome, verdict.reason) == ("cannot_say", "outside_calibration")


def test_videos_have_the_mean_of_their_frames_and_need_enough_of_them(artifact: Path, tmp_path: Path) -> None:
    reals = [entry(f"real/{number}.mp4", [number / 100, number / 100 + 0.1]) for number in range(40)]
    short = entry("real/short.mp4", [0.99, None])
    files = [*reals, short]
    verdicts = document(artifact, tmp_path / "verdicts.json", files)
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", *rows_of(files)), tmp_path / "out") == 0
    card = read_card(tmp_path / "out")
    assert card.calibration.video.fake_from == pytest.approx(0.43)
    assert card.calibration.video.real_below == 0
    assert card.calibration.sources[0].not_answered == 1


def test_soft_reals_are_left_without_a_verdict_if_that_finds_more_fakes(artifact: Path, tmp_path: Path) -> None:
    sharp = [entry(f"real/{number}.jpg", [number / 1000]) for number in range(90)]
    soft = [entry(f"real/soft {number}.jpg", [0.9], sharpness=0.01) for number in range(10)]
    fakes = [entry(path, [score]) for path, score in FAKES]
    files = [*sharp, *soft, *fakes]
    verdicts = document(artifact, tmp_path / "verdicts.json", files)
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", *rows_of(files)), tmp_path / "out") == 0
    card = read_card(tmp_path / "out")
    assert card.validated_on.min_sharpness == 0.5
    assert card.validated_on.share_answered == 0.9
    assert card.calibration.image.fake_from < 0.1


def test_the_outcome_can_be_printed_as_json(
    artifact: Path, tmp_path: Path, images: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = document(artifact, tmp_path / "verdicts.json", images)
    identities = table(tmp_path / "files.csv", *rows_of(images))
    assert calibrate(artifact, verdicts, identities, tmp_path / "out", "--json", "--alpha", "0.1") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["calibration"]["alpha"] == 0.1
    assert printed["shares"]["image"]["false_alarms"] == {"lfw": pytest.approx(0.075)}
    assert printed["notes"] == ["no video will get a verdict: the tables have no real video with a face"]


def test_videos_without_fakes_take_those_of_images(
    artifact: Path, tmp_path: Path, images: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*images, *(entry(f"real/{number}.mp4", [0.5, 0.5]) for number in range(20))]
    verdicts = document(artifact, tmp_path / "verdicts.json", files)
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", *rows_of(files)), tmp_path / "out") == 0
    band = read_card(tmp_path / "out").calibration.video
    assert (band.real_below, band.fake_from) == (pytest.approx(0.23), pytest.approx(0.5))
    note = "note: real_below of videos rests on the fakes of all kinds of files: too few fake videos"
    assert note in capsys.readouterr().out.splitlines()


def test_too_few_videos_get_the_band_of_images(
    artifact: Path, tmp_path: Path, images: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*images, *(entry(f"real/{number}.mp4", [0.5, 0.5]) for number in range(7))]
    verdicts = document(artifact, tmp_path / "verdicts.json", files)
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", *rows_of(files)), tmp_path / "out") == 0
    calibration = read_card(tmp_path / "out").calibration
    assert calibration.video == calibration.image
    assert "; videos: the band of images, since too few people are seen in videos" in calibration.rule
    note = "note: videos get the band of images, which is not bounded for them: the tables have too few videos"
    assert note in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"weights_sha256": "0" * 64}, "verdicts.json is of another detector: its weights have the SHA-256 000"),
        ({"crop": None}, "verdicts.json is of face crops (--crops)\nhint: run `realface detect --json` on whole files"),
        ({"complete": False}, "verdicts.json is not complete: the run was interrupted"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(
    artifact: Path,
    tmp_path: Path,
    images: list[dict],
    changes: dict,
    text: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdicts = document(artifact, tmp_path / "verdicts.json", images, **changes)
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", *rows_of(images)), tmp_path / "out") == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "verdicts.json is not a document of `realface detect --json`\nhint: write it again"),
        ("[]", "verdicts.json is not a document of `realface detect --json`\nhint: write it again"),
        (
            '{"format": 1, "summary": {"complete": true}}',
            "verdicts.json has format 1, expected 2\nhint: run `realface detect",
        ),
    ],
)
def test_what_is_no_document_is_refused(
    artifact: Path, tmp_path: Path, content: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "verdicts.json").write_text(content)
    assert calibrate(artifact, tmp_path / "verdicts.json", table(tmp_path / "a.csv"), tmp_path / "out") == 2
    assert text in capsys.readouterr().err


def test_documents_with_other_settings_are_not_mixed(
    artifact: Path, tmp_path: Path, images: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    first = document(artifact, tmp_path / "1.json", images)
    second = document(artifact, tmp_path / "2.json", [], num_frames=4)
    identities = table(tmp_path / "a.csv", *rows_of(images))
    assert calibrate(artifact, first, identities, tmp_path / "out", "--verdicts", str(second)) == 2
    told = capsys.readouterr().err
    assert "2.json has input_size 64, num_frames 4, " in told
    assert "1.json has input_size 64, num_frames 8\nhint: use the same for all" in told


REAL_ROW = ("real/0.jpg", "lfw", "somebody", "real")


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "a.csv has no row for 1 of 1 scored files, such as real/0.jpg\nhint: give each file its source"),
        ([("real/0.jpg", "lfw", "x", "0")], "a.csv:2: label must be real or fake, got '0'"),
        ([("real/0.jpg", "lfw", "", "real")], "a.csv:2: path, source and identity must not be empty"),
        ([REAL_ROW, REAL_ROW], "a.csv names real/0.jpg twice\nhint: keep one row of each file"),
        ([REAL_ROW], "1 people with a score are too few to bound false alarms at 5%"),
        ([("real/0.jpg", "lfw", "x", "fake")], "a.csv names no real file of verdicts.json\nhint: add rows"),
    ],
)
def test_identities_that_do_not_fit_are_refused(
    artifact: Path, tmp_path: Path, rows: list, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = document(artifact, tmp_path / "verdicts.json", [entry("real/0.jpg", [0.5])])
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", *rows), tmp_path / "out") == 2
    assert text in capsys.readouterr().err


def test_identities_without_the_columns_or_that_are_no_text_are_refused(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = document(artifact, tmp_path / "verdicts.json", [entry("real/0.jpg", [0.5])])
    (tmp_path / "a.csv").write_text("path,label\n")
    assert calibrate(artifact, verdicts, tmp_path / "a.csv", tmp_path / "out") == 2
    expected = "a.csv has no column source, identity\nhint: use the columns path,source,identity,label"
    assert expected in capsys.readouterr().err
    (tmp_path / "a.csv").write_bytes("path".encode("utf-16"))
    assert calibrate(artifact, verdicts, tmp_path / "a.csv", tmp_path / "out") == 2
    assert "a.csv: UTF-16 text\nhint: save it as UTF-8" in capsys.readouterr().err


def test_real_files_without_any_face_are_refused(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = document(artifact, tmp_path / "verdicts.json", [entry("real/0.jpg", [None])])
    assert calibrate(artifact, verdicts, table(tmp_path / "a.csv", REAL_ROW), tmp_path / "out") == 2
    assert "no real file has a face\nhint: check that the documents are those" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_not_written_to(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(artifact, tmp_path / "gone.json", tmp_path / "a.csv", artifact) == 2
    assert "exists and is not empty\nhint: give another folder" in capsys.readouterr().err
