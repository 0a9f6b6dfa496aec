"""`realface measure` on documents as `realface detect --json` prints them; expected numbers are counted by hand."""

import json
from pathlib import Path

import pytest
import torch

from realface.cli.main import run
from realface.core.artifact import ArtifactCard
from realface.core.calibration import Band, Calibration, SourceCounts, TableHash, ValidatedRange
from realface.core.crop_spec import CropSpec
from realface.evaluation.results import read_results
from realface.models.artifact import read_card, save_artifact
from realface.models.catalog import get_method

BAND = Band(real_below=0.3, fake_from=0.6)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": "light_xception", "input_size": 64})
    calibration = Calibration(
        rule="by hand",
        image=BAND,
        sources=[SourceCounts(name="a", label="real", images=1, videos=0, identities=1)],
        tables=[TableHash(name="a.json", sha256="0" * 64)],
        input_size=64,
        num_frames=8,
    )
    card = ArtifactCard(
        method="recce",
        config=config.model_dump(mode="json"),
        input_size=64,
        crop=CropSpec(frames=8),
        calibration=calibration,
        validated_on=ValidatedRange(min_face_size=50, min_sharpness=0, share_answered=1),
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "artifact"
    save_artifact(folder, method.build_network(config), card)
    return folder


def entry(path: str, score: float, *, size: float = 100) -> dict:
    face = {"box": [0, 0, size, size], "track": 0, "found": 1.0, "sharpness": 0.5, "score": score}
    frame = {"index": 0, "time_s": 0.0, "width": 200, "height": 200, "faces": [face]}
    return {"path": path, "kind": "image", "frames": [frame]}


def measured(artifact: Path, folder: Path, files: list[dict], rows: list[str]) -> int:
    model = {"weights_sha256": read_card(artifact).weights_sha256, "crop": {}, "input_size": 64, "num_frames": 8}
    document = {"format": 2, "model": model, "files": files, "summary": {"complete": True}}
    (folder / "verdicts.json").write_text(json.dumps(document))
    (folder / "files.csv").write_text("path,source,identity,label,pair\n" + "\n".join(rows) + "\n")
    words = ["--verdicts", str(folder / "verdicts.json"), "--identities", str(folder / "files.csv")]
    return run(["measure", str(artifact), *words, "--out", str(folder / "out.json"), "--data", "by hand"])


def numbers(path: Path) -> dict[tuple[str, str], float | None]:
    return {(each.metric, each.source): each.value for each in read_results(path) if each.name != "fakes"}


def test_shares_count_answers_by_source(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [entry("r1", 0.1), entry("r2", 0.4), entry("r3", 0.7), entry("r4", 0.9, size=20), entry("f1", 0.8)]
    rows = ["r1,a,p1,real,", "r2,a,p2,real,", "r3,b,p3,real,", "r4,b,p4,real,", "f1,a,p1,fake,"]
    assert measured(artifact, tmp_path, files, rows) == 0
    found = numbers(tmp_path / "out.json")
    # r3 is a false alarm among three answered files; r4 is too small for an answer; r2 is within the band
    assert found["false alarms", "all"] == pytest.approx(1 / 3)
    assert (found["false alarms", "a"], found["false alarms", "b"]) == (0, 1)
    assert (found["not answered", "all"], found["not answered", "b"]) == (0.25, 0.5)
    assert found["uncertain", "all"] == 0.25
    assert "called fake, fakes: 100.0 %" in capsys.readouterr().out


def test_pairs_are_ranked_whether_answered_or_not(artifact: Path, tmp_path: Path) -> None:
    files = [entry("r1", 0.1), entry("f1", 0.2), entry("r2", 0.7, size=20), entry("f2", 0.6)]
    rows = ["r1,a,p1,real,1", "f1,a,p1,fake,1", "r2,a,p2,real,2", "f2,a,p2,fake,2"]
    assert measured(artifact, tmp_path, files, rows) == 0
    found = numbers(tmp_path / "out.json")
    assert found["pair order", "a"] == 0.5
    assert found["auc", "a"] == 0.5  # two of the four comparisons: f1 > r1 and f2 > r1


def test_without_real_files_nothing_is_measured(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(artifact, tmp_path, [entry("f1", 0.8)], ["f1,a,p1,fake,"]) == 2
    assert "files.csv names no real file\nhint: add rows of real files" in capsys.readouterr().err
