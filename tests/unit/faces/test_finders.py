from pathlib import Path

import numpy as np
import pytest

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, FinderError
from realface.faces.finders import FINDERS, build_finder, crop_spec_for, default_crop_spec, finder_for, parse_finder


@pytest.fixture
def files(write_network):
    """Two files that differ."""
    return write_network({"a": np.ones(1)}, name="a.onnx"), write_network({"a": np.zeros(1)}, name="b.onnx")


def test_the_default_spec_names_finder_and_version():
    spec = default_crop_spec(size=128)
    assert (spec.finder, spec.size) == ("mtcnn", 128)
    assert spec.finder_version.startswith("facenet-pytorch 2.5.")


def test_the_finder_of_the_default_spec_is_here():
    assert finder_for(default_crop_spec()).name == "mtcnn"


def test_crops_of_another_finder_version_are_refused_with_both():
    spec = default_crop_spec().model_copy(update={"finder_version": "facenet-pytorch 9.9"})
    with pytest.raises(
        CropSpecError, match=r"made with mtcnn \[facenet-pytorch 9\.9\] but here it is \[facenet-pytorch 2.*\]; install"
    ):
        finder_for(spec)


def test_building_a_finder_reads_no_weights():
    assert "_networks" not in vars(build_finder("mtcnn"))
    for name in ("yunet", "retinaface", "scrfd"):
        assert build_finder(name, file=Path("missing.onnx")).name == name


def test_a_finder_is_named_alone_or_with_its_file():
    assert parse_finder("mtcnn") == ("mtcnn", None)
    assert parse_finder("yunet=my files/y=2.onnx") == ("yunet", Path("my files/y=2.onnx"))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("haar", "'haar'; known: mtcnn, yunet=FILE, retinaface=FILE, scrfd=FILE"),
        ("", "no face finder is called ''; known: mtcnn"),
        ("face.onnx", "no face finder is called 'face.onnx'; known: mtcnn"),
        ("=face.onnx", "no face finder is called ''; known: mtcnn"),
        ("MTCNN", "no face finder is called 'MTCNN'; known: mtcnn"),
        ("yunet", "the face finder yunet comes as a file; give yunet=FILE, its ONNX file"),
        ("yunet=", "'yunet=' names no file; give yunet=FILE"),
        ("mtcnn=", "'mtcnn=' names no file; give mtcnn alone"),
        ("mtcnn=a.onnx", "the face finder mtcnn takes no file, got a.onnx; give mtcnn alone"),
    ],
)
def test_a_word_that_names_no_finder_is_refused_with_what_is_known(word, text):
    with pytest.raises(CropSpecError) as caught:
        parse_finder(word)
    assert text in str(caught.value)


def test_the_spec_of_a_files_finder_names_the_file_by_its_hash(files):
    spec = crop_spec_for(build_finder("scrfd", file=files[0]), size=64)
    assert (spec.finder, spec.size) == ("scrfd", 64)
    assert spec.finder_version.startswith("file ")
    assert finder_for(spec, file=files[0]).version == spec.finder_version


@pytest.mark.parametrize("name", [name for name in FINDERS if name != "mtcnn"])
def test_crops_of_a_files_finder_need_the_file(name, files):
    spec = crop_spec_for(build_finder(name, file=files[0]))
    with pytest.raises(
        CropSpecError,
        match=rf"found by {name} \[file .*\], which comes as a file; give that file: --finder {name}=FILE",
    ):
        finder_for(spec)


def test_another_file_than_the_one_that_made_the_crops_is_refused_with_both(files):
    spec = crop_spec_for(build_finder("yunet", file=files[0]))
    other = build_finder("yunet", file=files[1]).version
    with pytest.raises(CropSpecError) as caught:
        finder_for(spec, file=files[1])
    assert f"made with yunet [{spec.finder_version}] but here it is [{other}]; give that file" in str(caught.value)


def test_a_spec_that_does_not_name_the_version_takes_any_file(files):
    assert finder_for(CropSpec(finder="retinaface"), file=files[1]).name == "retinaface"
    with pytest.raises(FinderError, match=r"gone\.onnx does not exist"):
        finder_for(CropSpec(finder="retinaface"), file=Path("gone.onnx"))


def test_a_file_for_crops_of_mtcnn_is_refused(files):
    with pytest.raises(CropSpecError, match=r"the face finder mtcnn takes no file, got .*a\.onnx; give mtcnn alone"):
        finder_for(default_crop_spec(), file=files[0])


def test_an_unknown_finder_is_refused_with_those_known():
    with pytest.raises(CropSpecError, match="no face finder is called 'haar'; known: mtcnn"):
        build_finder("haar")
    with pytest.raises(CropSpecError, match="no face finder is called 'external'; known: mtcnn"):
        finder_for(CropSpec.external())


def test_the_spec_of_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FinderError, match="does not exist"):
        crop_spec_for(build_finder("yunet", file=tmp_path / "missing.onnx"))
