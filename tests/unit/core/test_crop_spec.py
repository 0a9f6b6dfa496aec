from __future__ import annotations

import pytest
from pydantic import ValidationError

from realface.core.crop_spec import CropSpec, note_of_unknown_crops, require_same_crops
from realface.core.errors import CropSpecError


def made_with(**changes: object) -> CropSpec:
    return CropSpec.model_validate(
        {"face_detector": "mtcnn", "face_detector_version": "facenet-pytorch 2.5.3", **changes}
    )


def test_equal_specs_fit() -> None:
    assert made_with().cuts_like(made_with())
    require_same_crops(made_with(), crops_name="train.parquet", model=made_with(), model_name="run/artifact")


@pytest.mark.parametrize("choosing", [{"frames": 4}, {"face": "mask"}, {"min_face": 40}])
def test_specs_fit_whichever_faces_are_chosen(choosing: dict[str, object]) -> None:
    require_same_crops(made_with(**choosing), crops_name="faces", model=made_with(), model_name="run")
    assert not made_with(size=64, **choosing).cuts_like(made_with(size=128, **choosing))


@pytest.mark.parametrize("cutting", [{"margin": 0.4}, {"size": 64}, {"alignment": "five-point"}, {"jpeg_quality": 90}])
def test_specs_that_give_other_pixels_do_not_fit(cutting: dict[str, object]) -> None:
    assert not made_with(**cutting).cuts_like(made_with())


def test_a_difference_is_an_error_that_gives_both_sides() -> None:
    with pytest.raises(CropSpecError) as caught:
        require_same_crops(
            made_with(margin=0.3), crops_name="train.parquet", model=made_with(margin=0.6), model_name="run/artifact"
        )
    assert str(caught.value) == (
        "train.parquet contains crops made with [mtcnn (facenet-pytorch 2.5.3), margin 0.3, 256 px PNG, "
        "alignment none, face largest, 32 frames] but run/artifact expects [mtcnn (facenet-pytorch 2.5.3), "
        "margin 0.6, 256 px PNG, alignment none, face largest, 32 frames]; prepare the videos again with the "
        "model's spec, or train on these crops"
    )


@pytest.mark.parametrize(("crops", "model"), [(CropSpec.unknown(), made_with()), (made_with(), CropSpec.unknown())])
def test_unknown_crops_and_weights_are_let_through(crops: CropSpec, model: CropSpec) -> None:
    require_same_crops(crops, crops_name="crops", model=model, model_name="model")


def test_unknown_crops_and_weights_are_noted_together() -> None:
    specs = {"a.parquet": CropSpec.unknown(), "b.parquet": made_with(), "run": CropSpec.unknown()}
    assert note_of_unknown_crops(specs) == (
        "unknown crop settings (a.parquet, run); cannot check whether crops and model match"
    )
    assert note_of_unknown_crops({"b.parquet": made_with()}) is None


def test_an_unknown_spec_says_nothing_but_that() -> None:
    assert CropSpec.unknown().is_unknown
    assert CropSpec.unknown().describe() == "unknown"


def test_a_spec_without_a_face_detector_version_describes_itself_without_one() -> None:
    assert CropSpec(size=160).describe() == "mtcnn, margin 0.3, 160 px PNG, alignment none, face largest, 32 frames"
    assert CropSpec(jpeg_quality=90, alignment="five-point", face="mask", min_face=40).describe() == (
        "mtcnn, margin 0.3, 256 px JPEG 90, alignment five-point, face mask from 40 px, 32 frames"
    )


def test_a_spec_survives_json() -> None:
    spec = made_with(margin=0.45, size=160, frames=8)
    assert CropSpec.model_validate_json(spec.model_dump_json()) == spec


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        made_with(marigin=0.3)
