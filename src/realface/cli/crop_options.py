"""Define and parse the options `--crops`, `--crop` and `--face-detector`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realface.core.crop_spec import CropSpec
    from realface.faces.detectors.face_detector import FaceDetector

DEFAULT = "default"
HELP = (
    "Crop settings of these weights: `default` (as in `realface prepare`), a YAML or JSON file (missing keys take the "
    "defaults), a manifest or artifact with the same crops, or `unknown`."
)

FACE_DETECTOR_HELP = (
    "ONNX file of the model's face detector, if it requires one: yunet=FILE, retinaface=FILE or scrfd=FILE."
)

AreCrops = Annotated[bool, typer.Option("--crops", help="The files are face crops: do not detect faces.")]
CropWord = Annotated[
    str | None, typer.Option(metavar="SPEC", help=f"Only for imported weights. {HELP} Default: as in the model.")
]
FaceDetectorWord = Annotated[str | None, typer.Option(metavar="NAME=FILE", help=FACE_DETECTOR_HELP)]


def parse_crop_spec(word: str) -> CropSpec:
    """Return the crop spec of a value of `--crop`.

    Args:
        word: `default`, `unknown`, or the path of a YAML or JSON file with a crop spec's fields, a manifest, an
            artifact, or a run folder that contains an artifact.

    Raises:
        MissingInputError: no such file or folder.
        RecipeError: the file is empty, or has unknown keys or invalid values; all are reported.
        ManifestError: the file is not a usable manifest.
        ArtifactError: the artifact is missing or damaged.
    """
    from realface.core.crop_spec import UNKNOWN, CropSpec
    from realface.core.errors import MissingInputError, RecipeError
    from realface.core.recipe import load_recipe
    from realface.faces.detectors.registry import default_crop_spec
    from realface.manifest.manifest import Manifest
    from realface.models.artifact import find_artifact, read_card

    if word == DEFAULT:
        return default_crop_spec()
    if word == UNKNOWN:
        return CropSpec.unknown()
    path = Path(word)
    if not path.exists():
        raise MissingInputError(
            f"--crop {word}: no such file or folder",
            hint=f"give {DEFAULT}, {UNKNOWN}, a YAML file with the crop's settings, or a manifest or artifact",
        )
    if path.is_dir():
        return read_card(find_artifact(path)).crop
    if _holds_settings(path):
        spec = load_recipe(CropSpec, path)
        if not spec.model_fields_set:
            raise RecipeError(
                str(path), [f"no crop settings; give at least one, such as margin: 0.4, or --crop {DEFAULT}"]
            )
        return spec
    return Manifest.read(path).header.crop


def parse_face_detector(word: str | None, *, device: str) -> FaceDetector | None:
    """Return the face detector of `--face-detector`, or None if it was not given.

    Args:
        word: `mtcnn`, or a name and an ONNX file, such as `yunet=FILE`.
        device: device of the network: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        CropSpecError: unknown name, or missing file.
        DeviceError: the device does not exist.
    """
    if word is None:
        return None
    import torch

    from realface.faces.detectors.registry import build_face_detector, parse_name_and_file
    from realface.models.devices import resolve_device

    name, file = parse_name_and_file(word)
    return build_face_detector(name, device=str(resolve_device(device)), file=file, threads=torch.get_num_threads())


def refuse_contradiction(*, crops: bool, crop: str | None, face_detector: str | None) -> None:
    """Refuse `--crops` together with `--crop` or `--face-detector`."""
    if crops and crop is not None:
        raise typer.BadParameter("give --crops for face crops or --crop for how to make them, not both")
    if crops and face_detector is not None:
        raise typer.BadParameter("give --crops for face crops or --face-detector for what finds faces, not both")


def warn_of_unknown_crops(crop: CropSpec) -> None:
    """Warn if the crop settings of a model are unknown."""
    if crop.is_unknown:
        print(
            "realface: warning: how this model's crops were made is not known; whether these fit is not checked",
            file=sys.stderr,
        )


def _holds_settings(path: Path) -> bool:
    """Return whether a file is a crop spec, not a manifest; a manifest in JSON is a list, a crop spec a mapping.

    An empty file counts as a crop spec without settings.
    """
    if path.suffix.lower() == ".json":
        return path.read_bytes().lstrip()[:1] in {b"", b"{"}
    return path.suffix.lower() in {".yaml", ".yml"}
