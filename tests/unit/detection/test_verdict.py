from dataclasses import replace
from pathlib import Path

import numpy as np

from realface.core.boxes import Box
from realface.detection.verdict import FaceScore, Failure, FrameScore, TrackScore, Verdict
from realface.faces.finder import Face

VERDICT = Verdict(
    path=Path("a.jpg"),
    kind="image",
    width=64,
    height=48,
    score=0.12964,
    threshold=0.5,
    frames=(FrameScore(0, 0.0, 4, 4, (FaceScore(Box(1, 2, 3, 4), 0.12964, 0, 0.99),)),),
    tracks=(TrackScore(0, 1, 0.12964, counts=True),),
    model="recce 0123",
    purpose="detection",
    seconds={"decode": 0.5, "score": 0.25},
)


def test_a_verdict_is_printed_as_recce_prints_it() -> None:
    assert VERDICT.line() == "path: a.jpg | fake probability: 0.1296 | prediction: real"


def test_a_file_is_fake_from_the_threshold_up() -> None:
    assert replace(VERDICT, score=0.5).prediction == "fake"
    assert replace(VERDICT, score=0.49999).prediction == "real"


def test_a_demonstration_says_on_every_verdict_that_it_means_nothing() -> None:
    verdict = replace(VERDICT, purpose="demonstration")
    note = "demonstration model: says nothing about real videos"
    assert verdict.line() == f"path: a.jpg | fake probability: 0.1296 | prediction: real | {note}"
    assert verdict.to_json()["note"] == note


def test_converted_hdr_and_damaged_frames_are_said_with_the_verdict() -> None:
    verdict = replace(VERDICT, hdr="hlg", num_damaged=2)
    note = "HDR video (HLG) converted to SDR; 2 of 3 frames cannot be decoded"
    assert verdict.line().endswith(f"| prediction: real | {note}")
    document = verdict.to_json()
    assert (document["hdr"], document["num_damaged"], document["note"]) == ("hlg", 2, note)


def test_the_json_holds_every_face_and_the_seconds() -> None:
    document = VERDICT.to_json()
    (frame,) = document["frames"]
    assert frame["faces"] == [
        {"box": [1, 2, 3, 4], "score": 0.12964, "track": 0, "found": 0.99, "landmarks": None},
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
    assert Failure(Path("x.jpg"), "no face found", "x.jpg: no face found").line() == "path: x.jpg | no face found"


def test_a_line_stays_one_line_whatever_the_files_name() -> None:
    path = Path("a\nb\u2028 \u00fc.jpg")
    assert Failure(path, "empty file", f"{path} is empty").line() == (
        "path: a\\nb\\u2028 \u00fc.jpg | empty file | is empty"
    )


def test_a_face_comes_out_of_the_verdict_as_the_finder_gave_it() -> None:
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    scored = FaceScore.of(Face(Box(1, 2, 3, 4), 0.9, points), 0.5, 2, is_found=True)
    assert scored.to_json() == {
        "box": [1, 2, 3, 4],
        "score": 0.5,
        "track": 2,
        "found": 0.9,
        "landmarks": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0], [8.0, 9.0]],
    }
    assert (scored.face.box, scored.face.score) == (Box(1, 2, 3, 4), 0.9)
    assert np.array_equal(scored.face.landmarks, points)


def test_a_face_without_landmarks_has_none_in_the_verdict_and_is_a_face_without_them() -> None:
    scored = FaceScore.of(Face(Box(1, 2, 3, 4), 1.0, np.full((5, 2), np.nan, np.float32)), 0.5, 0, is_found=False)
    assert (scored.found, scored.landmarks) == (None, None)
    assert np.isnan(scored.face.landmarks).all()
