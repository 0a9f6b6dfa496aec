from __future__ import annotations

import pytest
from pydantic import ValidationError

from realface.core.crop_spec import CropSpec, require_same_crops
from realface.core.errors import CropSpecError


def made_with(**changes: object) -> CropSpec:
    return CropSpec.model_validate({"finder": "mtcnn", "finder_version": "facenet-pytorch 2.5.3", **changes})


def test_equal_specs_fit() -> None:
    assert made_with().cuts_like(made_with())
    require_same_crops(made_with(), crops_name="train.parquet", model=made_with(), model_name="run/artifact")


def test_specs_fit_whatever_the_number_of_frames() -> None:
    require_same_crops(CropSpec(frames=4), crops_name="faces", model=CropSpec(frames=32), model_name="run")
    assert not CropSpec(size=64, frames=4).cuts_like(CropSpec(size=128, frames=4))


def test_a_difference_is_an_error_that_gives_both_sides() -> None:
    with pytest.raises(CropSpecError) as caught:
        require_same_crops(
            made_with(margin=0.3), crops_name="train.parquet", model=made_with(margin=0.6), model_name="run/artifact"
        )
    assert str(caught.value) == (
        "train.parquet holds crops made with [mtcnn (facenet-pytorch 2.5.3), margin 0.3, 256 px, alignment none, "
        "largest face, 32 frames] but run/artifact expects [mtcnn (facenet-pytorch 2.5.3), margin 0.6, 256 px, "
        "alignment none, largest face, 32 frames]; prepare the videos again with the model's spec, "
        "or train on these crops"
    )


@pytest.mark.parametrize(("crops", "model"), [(CropSpec.external(), made_with()), (made_with(), CropSpec.external())])
def test_external_crops_and_weights_are_let_through(crops: CropSpec, model: CropSpec) -> None:
    require_same_crops(crops, crops_name="crops", model=model, model_name="model")


def test_an_external_spec_says_nothing_but_that() -> None:
    assert CropSpec.external().is_external
    assert CropSpec.external().describe() == "external"


def test_a_spec_without_a_finder_version_describes_itself_without_one() -> None:
    assert CropSpec(size=160).describe() == "mtcnn, margin 0.3, 160 px, alignment none, largest face, 32 frames"


def test_a_spec_survives_json() -> None:
    spec = made_with(margin=0.45, size=160, frames=8)
    assert CropSpec.model_validate_json(spec.model_dump_json()) == spec


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        made_with(marigin=0.3)
