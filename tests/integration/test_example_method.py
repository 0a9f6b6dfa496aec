"""The example method is trained, evaluated and used through its entry point only."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from realface.core.crop_spec import CropSpec
from realface.core.recipe import check_recipe
from realface.detection.detector import Detector
from realface.evaluation.evaluate import evaluate_artifact
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image
from realface.models.catalog import METHODS
from realface.training.recipe import recipe_schema
from realface.training.run import train

EXAMPLE = Path(__file__).parents[2] / "examples" / "method"
MOST_LINES = 120


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The example as pip would install it: its folder, and the metadata of its pyproject.toml."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = tmp_path / "site" / f"realface_highpass-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    ((group, points),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path / "site")


def write_crops(root: Path) -> Path:
    """Crops of 32 pixels: reals are smooth, fakes are noise."""
    (root / "crops").mkdir(parents=True)
    rng, rows = np.random.default_rng(0), []
    for number in range(24):
        label, split = number % 2, ("train", "train", "val", "test")[number // 2 % 4]
        smooth = np.full((32, 32, 3), rng.integers(100, 150), np.uint8)
        image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) if label else smooth
        write_image(root / "crops" / f"{number}.png", image)
        rows.append({"path": f"crops/{number}.png", "label": label, "split": split, "video": str(number)})
    header = ManifestHeader(crop=CropSpec(size=32))
    Manifest.from_rows(rows, root=root, header=header).write(root / "manifest.parquet")
    return root / "manifest.parquet"


@pytest.mark.usefixtures("installed")
def test_example_method_is_trained_evaluated_and_used_in_detect(tmp_path):
    manifest = write_crops(tmp_path / "faces")
    document = {
        "method": {"name": "highpass", "input_size": 32},
        "data": {"manifests": [str(manifest)], "workers": 0},
        "optim": {"name": "adam", "lr": 0.01},
        "trainer": {"steps": 60, "batch_size": 8, "device": "cpu", "validate_every": 30},
    }
    train(check_recipe(recipe_schema(), document, where="recipe"), tmp_path / "run", quiet=True)
    found = evaluate_artifact(tmp_path / "run", [manifest], tmp_path / "results", device="cpu", quiet=True)
    assert found.document["artifact"]["method"] == "highpass"
    assert found.summary.overall.video["auc"].value == 1.0
    detector = Detector.load(tmp_path / "run", crops=True, device="cpu")
    real, fake = (detector.detect(tmp_path / "faces" / "crops" / f"{number}.png").score for number in (6, 7))
    assert real < fake


def test_example_method_is_short_and_outside_the_package():
    assert "highpass" not in METHODS
    assert len((EXAMPLE / "realface_highpass.py").read_text(encoding="utf-8").splitlines()) < MOST_LINES
