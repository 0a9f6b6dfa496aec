import json
from pathlib import Path

import numpy as np
import pytest
import torch

from realface.cli.main import run
from realface.faces.finders import default_crop_spec
from realface.media.images import write_image
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the authors' code writes it, of a network that says 0.8808 (a logit of 2) to every face."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in Recce(RecceConfig()).state_dict().items()}
    weights = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()} | {"fc.bias": torch.tensor([2.0])}
    path = tmp_path_factory.mktemp("released") / "recce.bin"
    torch.save({"step": 90000, "best_metric": np.float64(0.9875), "model": weights, "optimizer": {}}, path)
    return path


@pytest.fixture(scope="module")
def external(checkpoint: Path) -> Path:
    folder = checkpoint.parent / "external"
    assert run(["import", "recce", str(checkpoint), str(folder)]) == 0
    return folder


@pytest.fixture
def face(tmp_path: Path) -> str:
    write_image(tmp_path / "face.png", np.full((80, 80, 3), 100, np.uint8))
    return str(tmp_path / "face.png")


def test_it_says_what_it_made_and_how_to_use_it(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", "recce", str(checkpoint), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "recce at 299 x 299 pixels; crops: external",
        "what the file says of its validation: step 90000, best_metric 0.9875",
        "how its faces were cut out is not known, so `detect` takes face crops (--crops); --crop SPEC says how",
        f"detector: {tmp_path / 'out'}",
    ]


def test_face_crops_are_judged(external: Path, face: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", face, "--model", str(external), "--crops", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"path: {face} | fake probability: 0.8808 | prediction: fake\n"


def test_pictures_that_are_no_crops_are_refused(external: Path, face: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", face, "--model", str(external), "--device", "cpu"]) == 2
    assert "was made from crops that came from elsewhere" in capsys.readouterr().err


def test_size_and_crop_are_written_down(
    checkpoint: Path, tmp_path: Path, face: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["import", "recce", str(checkpoint), str(out), "--size", "224", "--crop", "default", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"artifact": str(out), **json.loads((out / "model.json").read_text())}
    assert (printed["input_size"], printed["config"]["input_size"]) == (224, 224)
    assert printed["crop"] == default_crop_spec().model_dump(mode="json")
    assert run(["detect", face, "--model", str(out), "--device", "cpu"]) == 2
    assert "no face" in capsys.readouterr().out


def test_a_bad_file_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recce.bin").write_text("not found")
    assert run(["import", "recce", str(tmp_path / "recce.bin"), str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"realface: error: {tmp_path / 'recce.bin'} is damaged or not what torch.save writes")
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_size_that_no_network_takes_is_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "recce", str(tmp_path / "a.bin"), str(tmp_path / "out"), "--size", "32"]) == 2
    assert "--size" in capsys.readouterr().err
