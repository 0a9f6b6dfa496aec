import pytest

from realface.core.errors import CropSpecError
from realface.faces.finders import build_finder, default_crop_spec, finder_for


def test_the_default_spec_names_finder_and_version():
    spec = default_crop_spec(size=128)
    assert (spec.finder, spec.size) == ("mtcnn", 128)
    assert spec.finder_version.startswith("facenet-pytorch 2.5.")


def test_the_finder_of_the_default_spec_is_here():
    assert finder_for(default_crop_spec()).name == "mtcnn"


def test_an_unknown_finder_is_refused_with_those_known():
    with pytest.raises(CropSpecError, match="no face finder is called 'haar'; known: mtcnn"):
        build_finder("haar")


def test_crops_of_another_finder_version_are_refused_with_both():
    spec = default_crop_spec().model_copy(update={"finder_version": "facenet-pytorch 9.9"})
    with pytest.raises(
        CropSpecError, match=r"made with mtcnn \[facenet-pytorch 9\.9\] but here it is \[facenet-pytorch 2"
    ):
        finder_for(spec)


def test_building_a_finder_reads_no_weights():
    assert "_networks" not in vars(build_finder("mtcnn"))
