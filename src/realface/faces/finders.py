"""Which face finders there are, how a user names one, and the crop spec of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError
from realface.faces.finder import FaceFinder
from realface.faces.mtcnn import MtcnnFinder
from realface.faces.retinaface import RetinaFaceFinder
from realface.faces.scrfd import ScrfdFinder
from realface.faces.yunet import YunetFinder

OF_A_FILE = (YunetFinder.name, RetinaFaceFinder.name, ScrfdFinder.name)
"""Finders whose network the user brings as an ONNX file."""
FINDERS = (MtcnnFinder.name, *OF_A_FILE)


def parse_finder(word: str) -> tuple[str, Path | None]:
    """Name and file of a finder as a user gives it: `mtcnn`, or `yunet=FILE`.

    Raises:
        CropSpecError: no such finder, one without its file, or a file for one that takes none.
    """
    name, sign, file = word.partition("=")
    if sign and not file:
        raise CropSpecError(
            f"{word!r} names no file", hint=f"give {f'{name}=FILE' if name in OF_A_FILE else 'mtcnn alone'}"
        )
    path = Path(file) if file else None
    _require_file_where_due(name, path)
    return name, path


def build_finder(name: str, *, device: str = "cpu", file: Path | None = None, threads: int = 1) -> FaceFinder:
    """The finder of that name; it reads nothing before it is used.

    Args:
        name: one of `FINDERS`.
        device: where its network computes; YuNet computes on the CPU.
        file: the network, of finders that come as a file.
        threads: of the CPU, for RetinaFace and SCRFD. MTCNN computes by torch's, YuNet by OpenCV's.

    Raises:
        CropSpecError: as `parse_finder`.
    """
    _require_file_where_due(name, file)
    if file is None:
        return MtcnnFinder(device=device)
    if name == YunetFinder.name:
        return YunetFinder(file)
    if name == RetinaFaceFinder.name:
        return RetinaFaceFinder(file, device=device, threads=threads)
    return ScrfdFinder(file, device=device, threads=threads)


def finder_for(spec: CropSpec, *, device: str = "cpu", file: Path | None = None, threads: int = 1) -> FaceFinder:
    """The finder that made the crops of `spec`, in the same version.

    Args:
        spec: of crops or of an artifact.
        device: as `build_finder`, like all that follow.
        file: likewise.
        threads: likewise.

    Raises:
        CropSpecError: the spec names no finder that is known here, or one of another version or file.
        FinderError: there is no such file.
    """
    if spec.finder in OF_A_FILE and file is None:
        raise CropSpecError(
            f"faces were found by {spec.finder} [{spec.finder_version}], which comes as a file",
            hint=f"give that file: --finder {spec.finder}=FILE",
        )
    finder = build_finder(spec.finder, device=device, file=file, threads=threads)
    version = finder.version  # a missing file is refused now, whatever the spec says
    if spec.finder_version and spec.finder_version != version:
        remedy = "install that version" if file is None else "give that file"
        raise CropSpecError(
            f"the crops were made with {spec.finder} [{spec.finder_version}] but here it is [{version}]; "
            f"{remedy}, or prepare and train again"
        )
    return finder


def crop_spec_for(finder: FaceFinder, **changes: Any) -> CropSpec:
    """The spec of crops made here with a finder, with `changes` to single fields.

    Raises:
        FinderError: the finder's file does not exist.
    """
    return CropSpec(finder=finder.name, finder_version=finder.version, **changes)


def default_crop_spec(**changes: Any) -> CropSpec:
    """The spec of crops made here with the default finder, with `changes` to single fields."""
    return crop_spec_for(MtcnnFinder(), **changes)


def _require_file_where_due(name: str, file: Path | None) -> None:
    if name not in FINDERS:
        known = ", ".join(name if name not in OF_A_FILE else f"{name}=FILE" for name in FINDERS)
        raise CropSpecError(f"no face finder is called {name!r}; known: {known}")
    if name in OF_A_FILE and file is None:
        raise CropSpecError(f"the face finder {name} comes as a file", hint=f"give {name}=FILE, its ONNX file")
    if name not in OF_A_FILE and file is not None:
        raise CropSpecError(f"the face finder {name} takes no file, got {file}", hint=f"give {name} alone")
