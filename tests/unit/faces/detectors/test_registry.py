from pathlib import Path

import numpy as np
import pytest

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, FaceDetectorError
from realface.faces.detectors.registry import (
    FACE_DETECTORS,
    build_face_detector,
    crop_spec_for,
    default_crop_spec,
    face_detector_for,
    parse_name_and_file,
)


@pytest.fixture
def files(write_network):
    """Two files that differ."""
    return write_network({"a": np.ones(1)}, name="a.onnx"), write_network({"a": np.zeros(1)}, name="b.onnx")


def test_the_default_spec_names_face_detector_and_version():
    spec = default_crop_spec(size=128)
    assert (spec.face_detector, spec.size) == ("mtcnn", 128)
    assert spec.face_detector_version.startswith("facenet-pytorch 2.5.")


def test_the_face_detector_of_the_default_spec_is_here():
    assert face_detector_for(default_crop_spec()).name == "mtcnn"


def test_crops_of_another_face_detector_version_are_refused_with_both():
    spec = default_crop_spec().model_copy(update={"face_detector_version": "facenet-pytorch 9.9"})
    with pytest.raises(
        CropSpecError, match=r"made with mtcnn \[facenet-pytorch 9\.9\] but here it is \[facenet-pytorch 2.*\]; install"
    ):
        face_detector_for(spec)


def test_building_a_face_detector_reads_no_weights():
    assert "_networks" not in vars(build_face_detector("mtcnn"))
    for name in ("yunet", "retinaface", "scrfd"):
        assert build_face_detector(name, file=Path("missing.onnx")).name == name


def test_a_face_detector_is_named_alone_or_with_its_file():
    assert parse_name_and_file("mtcnn") == ("mtcnn", None)
    assert parse_name_and_file("yunet=my files/y=2.onnx") == ("yunet", Path("my files/y=2.onnx"))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("haar", "'haar'; known: mtcnn, yunet=FILE, retinaface=FILE, scrfd=FILE"),
        ("", "unknown face detector ''; known: mtcnn"),
        ("face.onnx", "unknown face detector 'face.onnx'; known: mtcnn"),
        ("=face.onnx", "unknown face detector ''; known: mtcnn"),
        ("MTCNN", "unknown face detector 'MTCNN'; known: mtcnn"),
        ("yunet", "the face detector yunet comes as a file; give yunet=FILE, its ONNX file"),
        ("yunet=", "'yunet=' names no file; give yunet=FILE"),
        ("mtcnn=", "'mtcnn=' names no file; give mtcnn alone"),
        ("mtcnn=a.onnx", "the face detector mtcnn takes no file, got a.onnx; give mtcnn alone"),
    ],
)
def test_a_word_that_names_no_face_detector_is_refused_with_what_is_known(word, text):
    with pytest.raises(CropSpecError) as caught:
        parse_name_and_file(word)
    assert text in str(caught.value)


def test_the_spec_of_a_files_face_detector_names_the_file_by_its_hash(files):
    spec = crop_spec_for(build_face_detector("scrfd", file=files[0]), size=64)
    assert (spec.face_detector, spec.size) == ("scrfd", 64)
    assert spec.face_detector_version.startswith("file ")
    assert face_detector_for(spec, file=files[0]).version == spec.face_detector_version


@pytest.mark.parametrize("name", [name for name in FACE_DETECTORS if name != "mtcnn"])
def test_crops_of_a_files_face_detector_need_the_file(name, files):
    spec = crop_spec_for(build_face_detector(name, file=files[0]))
    with pytest.raises(
        CropSpecError,
        match=rf"found by {name} \[file .*\], which comes as a file; give that file: --face-detector {name}=FILE",
    ):
        face_detector_for(spec)


def test_another_file_than_the_one_that_made_the_crops_is_refused_with_both(files):
    spec = crop_spec_for(build_face_detector("yunet", file=files[0]))
    other = build_face_detector("yunet", file=files[1]).version
    with pytest.raises(CropSpecError) as caught:
        face_detector_for(spec, file=files[1])
    assert f"made with yunet [{spec.face_detector_version}] but here it is [{other}]; give that file" in str(
        caught.value
    )


def test_a_spec_that_does_not_name_the_version_takes_any_file(files):
    assert face_detector_for(CropSpec(face_detector="retinaface"), file=files[1]).name == "retinaface"
    with pytest.raises(FaceDetectorError, match=r"gone\.onnx does not exist"):
        face_detector_for(CropSpec(face_detector="retinaface"), file=Path("gone.onnx"))


def test_a_file_for_crops_of_mtcnn_is_refused(files):
    with pytest.raises(CropSpecError, match=r"the face detector mtcnn takes no file, got .*a\.onnx; give mtcnn alone"):
        face_detector_for(default_crop_spec(), file=files[0])


def test_an_unknown_face_detector_is_refused_with_those_known():
    with pytest.raises(CropSpecError, match="unknown face detector 'haar'; known: mtcnn"):
        build_face_detector("haar")
    with pytest.raises(CropSpecError, match="unknown face detector 'unknown'; known: mtcnn"):
        face_detector_for(CropSpec.unknown())


def test_the_spec_of_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FaceDetectorError, match="does not exist"):
        crop_spec_for(build_face_detector("yunet", file=tmp_path / "missing.onnx"))
