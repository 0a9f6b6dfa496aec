"""List the face detectors, parse their names, and choose the crop spec of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError
from realface.faces.detectors.face_detector import FaceDetector
from realface.faces.detectors.mtcnn import MtcnnDetector
from realface.faces.detectors.retinaface import RetinaFaceDetector
from realface.faces.detectors.scrfd import ScrfdDetector
from realface.faces.detectors.yunet import YunetDetector

FILE_DETECTORS = (YunetDetector.name, RetinaFaceDetector.name, ScrfdDetector.name)
"""Face detectors whose network the user brings as an ONNX file."""
FACE_DETECTORS = (MtcnnDetector.name, *FILE_DETECTORS)


def parse_name_and_file(word: str) -> tuple[str, Path | None]:
    """Return name and file of a face detector from a user's text: `mtcnn`, or `yunet=FILE`.

    Raises:
        CropSpecError: no such face detector, a missing file, or a file for a face detector without one.
    """
    name, sign, file = word.partition("=")
    if sign and not file:
        raise CropSpecError(
            f"{word!r} names no file", hint=f"give {f'{name}=FILE' if name in FILE_DETECTORS else 'mtcnn alone'}"
        )
    path = Path(file) if file else None
    _require_file_where_due(name, path)
    return name, path


def build_face_detector(name: str, *, device: str = "cpu", file: Path | None = None, threads: int = 1) -> FaceDetector:
    """Return the face detector of that name; it loads its network on first use.

    Args:
        name: one of `FACE_DETECTORS`.
        device: device of its network; YuNet computes on the CPU.
        file: the network, for face detectors that come as a file.
        threads: number of CPU threads, for RetinaFace and SCRFD. MTCNN uses torch's threads, YuNet OpenCV's.

    Raises:
        CropSpecError: see `parse_name_and_file`.
    """
    _require_file_where_due(name, file)
    if file is None:
        return MtcnnDetector(device=device)
    if name == YunetDetector.name:
        return YunetDetector(file)
    if name == RetinaFaceDetector.name:
        return RetinaFaceDetector(file, device=device, threads=threads)
    return ScrfdDetector(file, device=device, threads=threads)


def face_detector_for(
    spec: CropSpec, *, device: str = "cpu", file: Path | None = None, threads: int = 1
) -> FaceDetector:
    """Return the face detector that made the crops of `spec`, in the same version.

    Args:
        spec: crop settings of crops or of an artifact.
        device: device of its network, see `build_face_detector`.
        file: the network, for face detectors that come as a file.
        threads: number of CPU threads, see `build_face_detector`.

    Raises:
        CropSpecError: the face detector of the spec is unknown, or has another version or file here.
        FaceDetectorError: no such file.
    """
    if spec.face_detector in FILE_DETECTORS and file is None:
        raise CropSpecError(
            f"faces were found by {spec.face_detector} [{spec.face_detector_version}], which comes as a file",
            hint=f"give that file: --face-detector {spec.face_detector}=FILE",
        )
    face_detector = build_face_detector(spec.face_detector, device=device, file=file, threads=threads)
    version = face_detector.version  # raises an error for a missing file, for every spec
    if spec.face_detector_version and spec.face_detector_version != version:
        remedy = "install that version" if file is None else "give that file"
        raise CropSpecError(
            f"the crops were made with {spec.face_detector} [{spec.face_detector_version}] but here it is [{version}]; "
            f"{remedy}, or prepare and train again"
        )
    return face_detector


def crop_spec_for(face_detector: FaceDetector, **changes: Any) -> CropSpec:
    """Return the spec of crops made here with a face detector, with `changes` to single fields.

    Raises:
        FaceDetectorError: the face detector's file does not exist.
    """
    return CropSpec(face_detector=face_detector.name, face_detector_version=face_detector.version, **changes)


def default_crop_spec(**changes: Any) -> CropSpec:
    """Return the spec of crops made here with the default face detector, with `changes` to single fields."""
    return crop_spec_for(MtcnnDetector(), **changes)


def _require_file_where_due(name: str, file: Path | None) -> None:
    if name not in FACE_DETECTORS:
        known = ", ".join(name if name not in FILE_DETECTORS else f"{name}=FILE" for name in FACE_DETECTORS)
        raise CropSpecError(f"unknown face detector {name!r}; known: {known}")
    if name in FILE_DETECTORS and file is None:
        raise CropSpecError(f"the face detector {name} comes as a file", hint=f"give {name}=FILE, its ONNX file")
    if name not in FILE_DETECTORS and file is not None:
        raise CropSpecError(f"the face detector {name} takes no file, got {file}", hint=f"give {name} alone")
