from pathlib import Path

import numpy as np
import pytest
import torch

from realface.cli.crop_options import HELP, parse_crop_spec, parse_face_detector
from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError, CropSpecError, ManifestError, MissingInputError, RecipeError
from realface.faces.detectors.registry import default_crop_spec, face_detector_for
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.models.artifact import save_artifact
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce

SPEC = CropSpec(face_detector_version="7", margin=0.45, size=320)


def test_default_is_how_realface_cuts_faces_out_here() -> None:
    spec = parse_crop_spec("default")
    assert spec == default_crop_spec()
    picture = np.zeros((64, 64, 3), np.uint8)
    assert face_detector_for(spec).detect([picture]) == [[]]


def test_unknown_is_unknown() -> None:
    assert parse_crop_spec("unknown").is_unknown


@pytest.mark.parametrize(("name", "text"), [("crop.yaml", "margin: 0.45"), ("crop.json", '\n{"margin": 0.45}')])
def test_a_file_of_settings(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert parse_crop_spec(str(tmp_path / name)) == CropSpec(margin=0.45)


@pytest.mark.parametrize(
    ("name", "text"), [("crop.yaml", ""), ("crop.yaml", "# margin: 0.4\n"), ("crop.json", " \n"), ("crop.json", "{}")]
)
def test_a_file_without_settings_is_not_taken_for_the_defaults(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(RecipeError, match=r"no crop settings; give at least one, such as margin: 0.4, or --crop def"):
        parse_crop_spec(str(tmp_path / name))


def test_the_help_names_every_word_and_what_missing_settings_become() -> None:
    for said in ("`default`", "`unknown`", "YAML or JSON", "missing keys take the defaults"):
        assert said in HELP


@pytest.mark.parametrize("name", ["crops.parquet", "crops.csv", "crops.jsonl", "crops.json"])
def test_a_manifest(tmp_path: Path, name: str) -> None:
    rows = [{"path": "a.png", "label": 0}]
    Manifest.from_rows(rows, root=tmp_path, header=ManifestHeader(crop=SPEC)).write(tmp_path / name)
    assert parse_crop_spec(str(tmp_path / name)) == SPEC


def test_an_artifact_and_a_run_with_one(tmp_path: Path) -> None:
    config = RecceConfig.model_validate({"encoder": "light_xception"})
    card = ArtifactCard(method="recce", config=config.model_dump(mode="json"), input_size=128, crop=SPEC)
    with torch.random.fork_rng():
        save_artifact(tmp_path / "run" / "artifact", Recce(config), card)
    assert parse_crop_spec(str(tmp_path / "run" / "artifact")) == SPEC
    assert parse_crop_spec(str(tmp_path / "run")) == SPEC


def test_a_word_that_is_nothing_is_answered_with_what_there_is() -> None:
    expected = (
        r"--crop defualt: no such file or folder; give default, unknown, a YAML file .*, or a manifest or artifact"
    )
    with pytest.raises(MissingInputError, match=expected):
        parse_crop_spec("defualt")


def test_settings_that_are_none_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "crop.yaml").write_text("margn: 0.4\nsize: 1\n")
    with pytest.raises(RecipeError, match=r"2 faults\n(.|\n)*margn: no such setting; did you mean margin\?"):
        parse_crop_spec(str(tmp_path / "crop.yaml"))


def test_another_file_and_another_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "crop.txt").write_text("margin: 0.4")
    with pytest.raises(ManifestError, match=r"crop.txt"):
        parse_crop_spec(str(tmp_path / "crop.txt"))
    with pytest.raises(ArtifactError, match=r"has no model.json"):
        parse_crop_spec(str(tmp_path))


def test_a_face_detector_is_built_of_its_name_and_file() -> None:
    face_detector = parse_face_detector("scrfd=some.onnx", device="cpu")
    assert face_detector is not None
    assert face_detector.name == "scrfd"
    assert parse_face_detector(None, device="cpu") is None


def test_a_face_detector_that_is_not_known_or_lacks_its_file_is_refused() -> None:
    with pytest.raises(CropSpecError, match="unknown face detector 'dlib'; known: mtcnn, yunet=FILE"):
        parse_face_detector("dlib", device="cpu")
    with pytest.raises(CropSpecError, match="comes as a file; give yunet=FILE"):
        parse_face_detector("yunet", device="cpu")
