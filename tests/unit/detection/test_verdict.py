import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from realface.core.boxes import Box
from realface.core.calibration import Band
from realface.detection.outcome import Reason
from realface.detection.verdict import FaceScore, Failure, FrameScore, TrackScore, Verdict
from realface.faces.detectors.face_detector import Face

VERDICT = Verdict(
    path=Path("a.jpg"),
    kind="image",
    width=64,
    height=48,
    score=0.12964,
    band=Band(real_below=0.5, fake_from=0.5),
    frames=(FrameScore(0, 0.0, 4, 4, (FaceScore(Box(1, 2, 3, 4), 0.12964, 0, 0.99),)),),
    tracks=(TrackScore(0, 1, 0.12964, counts=True),),
    model="recce 0123",
    purpose="detection",
    seconds={"decode": 0.5, "score": 0.25},
)


def test_a_verdict_is_printed_as_recce_prints_it() -> None:
    assert VERDICT.line() == "path: a.jpg | score: 0.1296 | verdict: real"


def test_a_score_of_a_detector_of_anomalies_is_called_so_in_the_line_and_in_the_json() -> None:
    verdict = replace(VERDICT, score_name="anomaly score")
    assert verdict.line() == "path: a.jpg | anomaly score: 0.1296 | verdict: real"
    assert (verdict.to_json()["score"], verdict.to_json()["score_name"]) == (0.12964, "anomaly score")
    assert VERDICT.to_json()["score_name"] == "score"


def test_a_file_is_fake_from_the_threshold_up() -> None:
    assert replace(VERDICT, score=0.5).outcome == "fake"
    assert replace(VERDICT, score=0.49999).outcome == "real"


def test_a_file_between_the_scores_of_the_band_is_uncertain() -> None:
    verdict = replace(VERDICT, band=Band(real_below=0.2, fake_from=0.7))
    outcomes = [replace(verdict, score=score).outcome for score in (0.19, 0.2, 0.69, 0.7)]
    assert outcomes == ["real", "uncertain", "uncertain", "fake"]
    assert replace(verdict, score=0.3).line() == "path: a.jpg | score: 0.3000 | verdict: uncertain"


def test_a_file_without_a_verdict_has_the_reason_in_its_line_and_in_the_json() -> None:
    small = replace(VERDICT, score=None, reason=Reason.FACE_TOO_SMALL)
    assert small.line() == "path: a.jpg | score: none | verdict: cannot_say (face_too_small)"
    outside = replace(VERDICT, reason=Reason.OUTSIDE_CALIBRATION)
    assert outside.line() == "path: a.jpg | score: 0.1296 | verdict: cannot_say (outside_calibration)"
    document = json.loads(json.dumps(small.to_json()))
    assert (document["score"], document["verdict"], document["reason"]) == (None, "cannot_say", "face_too_small")


def test_the_json_has_the_band_and_what_was_not_examined() -> None:
    document = VERDICT.to_json()
    assert (document["verdict"], document["reason"]) == ("real", None)
    assert (document["band"], document["is_calibrated"]) == ({"real_below": 0.5, "fake_from": 0.5}, False)
    assert document["scope"] == {"not_examined": ["wholly generated images", "voices"]}


def test_a_demonstration_says_on_every_verdict_that_it_means_nothing() -> None:
    verdict = replace(VERDICT, purpose="demonstration")
    note = "demonstration model: says nothing about real videos"
    assert verdict.line() == f"path: a.jpg | score: 0.1296 | verdict: real | {note}"
    assert verdict.to_json()["note"] == note


def test_converted_hdr_and_damaged_frames_are_said_with_the_verdict() -> None:
    verdict = replace(VERDICT, hdr="hlg", num_damaged=2)
    note = "HDR video (HLG) converted to SDR; 2 of 3 frames cannot be decoded"
    assert verdict.line().endswith(f"| verdict: real | {note}")
    document = verdict.to_json()
    assert (document["hdr"], document["num_damaged"], document["note"]) == ("hlg", 2, note)


def test_the_json_holds_every_face_and_the_seconds() -> None:
    document = VERDICT.to_json()
    (frame,) = document["frames"]
    assert frame["faces"] == [
        {
            "box": [1, 2, 3, 4],
            "score": 0.12964,
            "track": 0,
            "found": 0.99,
            "landmarks": None,
            "size": 2,
            "sharpness": 0.0,
            "ignored": None,
        },
    ]
    assert frame["score"] == 0.12964
    assert document["seconds"] == {"decode": 0.5, "score": 0.25, "total": 0.75}
    assert document["note"] is None


def test_a_frame_without_a_face_has_no_score() -> None:
    assert FrameScore(3, 0.12, 48, 64, ()).to_json() == {
        "index": 3,
        "time_s": 0.12,
        "width": 64,
        "height": 48,
        "score": None,
        "faces": [],
    }


def test_a_failure_is_one_line_with_the_reason_and_what_to_do() -> None:
    failure = Failure(Path("a.jpg"), "empty file", "a.jpg is empty (0 bytes); copy it again")
    assert failure.line() == "path: a.jpg | empty file | is empty (0 bytes); copy it again"


def test_a_failure_whose_text_says_no_more_than_the_reason_says_it_once() -> None:
    assert Failure(Path("x.jpg"), "truncated", "x.jpg: truncated").line() == "path: x.jpg | truncated"


def test_a_line_stays_one_line_whatever_the_files_name() -> None:
    path = Path("a\nb\u2028 \u00fc.jpg")
    assert Failure(path, "empty file", f"{path} is empty").line() == (
        "path: a\\nb\\u2028 \u00fc.jpg | empty file | is empty"
    )


def test_a_face_comes_out_of_the_verdict_as_the_face_detector_gave_it() -> None:
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    scored = FaceScore.of(Face(Box(1, 2, 3, 4), 0.9, points), 0.5, 2, is_found=True)
    scored = replace(scored, sharpness=0.25, ignored=Reason.TOO_SOFT)
    assert scored.to_json() == {
        "box": [1, 2, 3, 4],
        "score": 0.5,
        "track": 2,
        "found": 0.9,
        "landmarks": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0], [8.0, 9.0]],
        "size": 2,
        "sharpness": 0.25,
        "ignored": "too_soft",
    }
    assert (scored.face.box, scored.face.score) == (Box(1, 2, 3, 4), 0.9)
    assert np.array_equal(scored.face.landmarks, points)


def test_a_face_without_landmarks_has_none_in_the_verdict_and_is_a_face_without_them() -> None:
    scored = FaceScore.of(Face(Box(1, 2, 3, 4), 1.0, np.full((5, 2), np.nan, np.float32)), 0.5, 0, is_found=False)
    assert (scored.found, scored.landmarks) == (None, None)
    assert np.isnan(scored.face.landmarks).all()
