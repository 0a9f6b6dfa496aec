import pytest

from realface.core.artifact import ArtifactCard
from realface.core.calibration import Band, Calibration, SourceCounts, TableHash, ValidatedRange
from realface.core.crop_spec import CropSpec
from realface.detection.outcome import DecisionRule, Reason, decide, main_reason

BAND = Band(real_below=0.2, fake_from=0.8)
RANGE = ValidatedRange(min_face_size=40, min_sharpness=0.1, min_frames=3, share_answered=0.9)


def rule(*, threshold=None, input_size=64, num_frames=8, finds_faces=True, **changes):
    fields = {
        "rule": "as a test has it",
        "image": BAND,
        "sources": [SourceCounts(name="lfw", label="real", images=40, videos=0, identities=40)],
        "tables": [TableHash(name="verdicts.json", sha256="0" * 64)],
        "input_size": 64,
        "num_frames": 8,
    }
    card = ArtifactCard(
        method="recce",
        config={},
        input_size=64,
        crop=CropSpec(),
        threshold=0.4,
        **({"calibration": Calibration(**fields), "validated_on": RANGE} | changes),
    )
    return DecisionRule.of(
        card, threshold=threshold, input_size=input_size, num_frames=num_frames, finds_faces=finds_faces
    )


def test_a_calibrated_detector_decides_by_the_band_of_the_kind_of_file():
    found = rule()
    assert found.is_calibrated
    assert found.band("image") == BAND


def test_a_kind_of_file_that_was_not_calibrated_gets_no_verdict():
    assert rule().band("video") is None


@pytest.mark.parametrize("setting", [{"input_size": 128}, {"num_frames": 4}, {"finds_faces": False}])
def test_other_settings_than_those_of_the_calibration_give_no_verdict(setting):
    assert rule(**setting).band("image") is None
    assert rule(**setting).reason_to_ignore(size=1, sharpness=0) is None


def test_a_given_threshold_decides_alone():
    found = rule(threshold=0.6, num_frames=4)
    assert found.band("video") == Band(real_below=0.6, fake_from=0.6)
    assert found.reason_to_ignore(size=1, sharpness=0) is None


def test_without_a_calibration_the_threshold_decides_alone():
    found = rule(calibration=None)
    assert found.band("image") == Band(real_below=0.4, fake_from=0.4)
    assert found.reason_to_ignore(size=1, sharpness=0) is None
    assert found.frames_needed("video") == 1


def test_faces_outside_the_validated_range_are_ignored():
    found = rule()
    assert found.reason_to_ignore(size=40, sharpness=0.1) is None
    assert found.reason_to_ignore(size=39.9, sharpness=0.05) == Reason.FACE_TOO_SMALL
    assert found.reason_to_ignore(size=40, sharpness=0.09) == Reason.TOO_SOFT


def test_only_videos_need_several_frames():
    assert (rule().frames_needed("image"), rule().frames_needed("video")) == (1, 3)


def test_the_scores_of_a_band_belong_to_what_lies_above_them():
    assert [decide(score, BAND) for score in (0.19, 0.2, 0.79, 0.8)] == ["real", "uncertain", "uncertain", "fake"]


def test_the_most_frequent_reason_is_the_main_one():
    small, soft = Reason.FACE_TOO_SMALL, Reason.TOO_SOFT
    assert main_reason([soft, small, soft]) == soft
    assert main_reason([soft, small]) == small
