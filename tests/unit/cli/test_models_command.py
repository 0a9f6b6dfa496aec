import json
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
import torch

from realface.cli.main import run
from realface.core import shipped
from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.detection.detector import Detector
from realface.media.images import write_image
from realface.models import catalog
from realface.models.artifact import read_card, save_artifact
from realface.models.catalog import METHODS, get_method


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the package's folder of detectors, with nothing in it."""
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path / "shipped")
    return tmp_path / "shipped"


def ship(folder: Path, name: str) -> Path:
    """A tiny detector for face crops."""
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": "light_xception", "input_size": 64})
    card = ArtifactCard(
        method="recce",
        config=config.model_dump(mode="json"),
        input_size=64,
        crop=CropSpec.unknown(),
        licence="research use only",
    )
    torch.manual_seed(0)
    save_artifact(folder / name, method.build_network(config), card)
    return folder / name


def image(path: Path) -> Path:
    write_image(path, torch.randint(0, 255, (64, 64, 3), dtype=torch.uint8).numpy())
    return path


def test_a_build_without_detectors_lists_the_methods(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 0
    first, second, *others = capsys.readouterr().out.splitlines()
    assert (first, second) == ("shipped detectors: none in this build", "methods:")
    assert [line.split(":")[0].strip() for line in others] == list(METHODS)


def test_methods_of_installed_packages_are_listed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    added = replace(METHODS["recce"], name="added", summary="a method of another package")
    point = EntryPoint("added", "package:METHOD", "realface.methods")
    monkeypatch.setattr(EntryPoint, "load", lambda _: added)
    monkeypatch.setattr(catalog, "entry_points", lambda group: EntryPoints([point]).select(group=group))
    assert run(["models"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  added: a method of another package"


def test_shipped_detectors_come_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sha256 = read_card(ship(folder, "real-faces-only")).weights_sha256
    assert run(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    described = f"recce, 64 px, {sha256[:12]}; research use only"
    assert lines[:3] == ["shipped detectors:", f"  real-faces-only (default): {described}", "methods:"]
    assert run(["models", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["detectors"]["real-faces-only"] == {
        "method": "recce",
        "input_size": 64,
        "purpose": "research",
        "licence": "research use only",
        "weights_sha256": sha256,
        "is_default": True,
    }
    assert list(document["methods"]) == list(METHODS)


def test_detect_uses_the_shipped_detector_by_default_and_by_name(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ship(folder, "real-faces-only")
    words = ["detect", str(image(tmp_path / "a.png")), "--crops", "--device", "cpu"]
    assert run(words) == 0
    line = capsys.readouterr().out
    assert run([*words, "--model", "real-faces-only"]) == 0
    assert capsys.readouterr().out == line
    assert line.startswith(f"path: {tmp_path / 'a.png'} | score: 0.")


def test_a_changed_byte_in_the_shipped_weights_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ship(folder, "real-faces-only") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    assert run(["detect", str(image(tmp_path / "a.png")), "--crops", "--device", "cpu"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "model.safetensors is damaged or was exchanged" in told.err


def test_an_unknown_name_is_answered_with_the_shipped_ones(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ship(folder, "real-faces-only")
    assert run(["detect", str(image(tmp_path / "a.png")), "--model", "real-face-only"]) == 2
    assert (
        "artifact real-face-only does not exist\nhint: check the path, or give a shipped detector: real-faces-only"
        in capsys.readouterr().err
    )


def test_the_python_class_loads_the_default_too(folder: Path, tmp_path: Path) -> None:
    ship(folder, "real-faces-only")
    path = image(tmp_path / "a.png")
    default, named = (
        Detector.load(*names, crops=True, device="cpu").detect(path).score for names in ([], ["real-faces-only"])
    )
    assert default == named
