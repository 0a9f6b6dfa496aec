"""What a user says of how faces are found and cut out, and its meaning: `--crops`, `--crop` and `--face-detector`."""

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
    "How faces are cut out for these weights: `default` (as realface does), a YAML or JSON file of crop settings "
    "(missing ones take the defaults), a manifest or artifact whose crops are alike, or `unknown`, as "
    "imported weights without this option."
)

FACE_DETECTOR_HELP = (
    "The face detector of the model's own crops, where it comes as a file: yunet=FILE, retinaface=FILE or scrfd=FILE."
)

AreCrops = Annotated[bool, typer.Option("--crops", help="The files are face crops already: look for no face.")]
CropWord = Annotated[str | None, typer.Option(metavar="SPEC", help=f"For imported weights only. {HELP}")]
FaceDetectorWord = Annotated[str | None, typer.Option(metavar="NAME=FILE", help=FACE_DETECTOR_HELP)]


def parse_crop_spec(word: str) -> CropSpec:
    """Return the crop spec that a word or path stands for.

    Args:
        word: `default`, `unknown`, a YAML or JSON file with a crop spec's fields, a manifest, or an artifact or a run
            that holds one.

    Raises:
        MissingInputError: neither such a word nor a file or folder.
        RecipeError: the file is empty, or its fields are no crop spec's; all faults are named.
        ManifestError: as `Manifest.read`.
        ArtifactError: as `read_card`.
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
    """Return the face detector that was given with `--face-detector`; None without.

    Args:
        word: `mtcnn`, or `yunet=FILE` and its like.
        device: where its network computes: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        CropSpecError: as `parse_name_and_file`.
        DeviceError: the device is not here.
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
    """Say so where nothing is known of a model's crops."""
    if crop.is_unknown:
        print(
            "realface: warning: how this model's crops were made is not known; whether these fit is not checked",
            file=sys.stderr,
        )


def _holds_settings(path: Path) -> bool:
    """Return whether a file is a crop spec and no manifest; a manifest in JSON is a list, a crop spec a mapping.

    An empty file counts as a crop spec without settings.
    """
    if path.suffix.lower() == ".json":
        return path.read_bytes().lstrip()[:1] in {b"", b"{"}
    return path.suffix.lower() in {".yaml", ".yml"}
