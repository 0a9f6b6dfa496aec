from dataclasses import replace

import pytest

from realface.core.boxes import Box
from realface.detection.aggregation import deciding_track, reason_without_score, score_tracks
from realface.detection.outcome import Reason
from realface.detection.verdict import FaceScore, FrameScore

BOX = Box(0, 0, 10, 10)


def frames_of(*tracks: dict[int, float]) -> list[FrameScore]:
    """One frame per mapping of track -> score."""
    return [
        FrameScore(index, index / 25, 8, 8, tuple(FaceScore(BOX, score, track, 0.9) for track, score in faces.items()))
        for index, faces in enumerate(tracks)
    ]


def test_a_track_has_the_mean_of_its_faces() -> None:
    (track,) = score_tracks(frames_of({0: 0.2}, {0: 0.4}, {}, {0: 0.9}))
    assert track.score == pytest.approx(0.5)
    assert track.num_frames == 3


def test_the_file_has_the_score_of_the_most_suspicious_track() -> None:
    tracks = score_tracks(frames_of({0: 0.1, 1: 0.8}, {0: 0.1, 1: 0.6}))
    deciding = deciding_track(tracks)
    assert deciding is not None
    assert deciding.track == 1
    assert deciding.score == pytest.approx(0.7)


def test_a_face_found_by_mistake_in_one_frame_does_not_decide() -> None:
    tracks = score_tracks(frames_of({0: 0.1, 1: 1.0}, {0: 0.1}, {0: 0.1}, {0: 0.1}))
    assert [track.counts for track in tracks] == [True, False]
    assert deciding_track(tracks).score == pytest.approx(0.1)


def test_a_track_counts_from_a_third_of_the_frames_with_faces() -> None:
    tracks = score_tracks(frames_of({0: 0.1, 1: 1.0}, {0: 0.1}, {0: 0.1}, {}, {}, {}))
    assert [track.counts for track in tracks] == [True, True]


def test_the_longest_track_counts_however_short_it_is() -> None:
    shots = [{number: 0.3} for number in range(7)]
    tracks = score_tracks(frames_of(*shots, {7: 0.6}, {7: 0.6}))
    assert [track.track for track in tracks if track.counts] == [7]


def test_in_a_picture_every_face_counts() -> None:
    tracks = score_tracks(frames_of({0: 0.1, 1: 0.2, 2: 0.9}))
    assert all(track.counts for track in tracks)
    assert deciding_track(tracks).score == 0.9


def test_without_a_face_there_is_no_track() -> None:
    assert score_tracks(frames_of({}, {})) == ()
    assert deciding_track(()) is None
    assert reason_without_score(()) == "no_face"


def ignoring(frame: FrameScore, reason: Reason, *tracks: int) -> FrameScore:
    """The frame with the faces of these tracks ignored, or of all."""
    faces = [replace(face, ignored=reason) if face.track in tracks or not tracks else face for face in frame.faces]
    return replace(frame, faces=tuple(faces))


def test_an_ignored_face_does_not_change_its_tracks_score() -> None:
    first, second = frames_of({0: 0.2}, {0: 0.9})
    (track,) = score_tracks([first, ignoring(second, Reason.TOO_SOFT)])
    assert (track.score, track.num_frames, track.ignored) == (0.2, 2, None)


def test_a_track_of_ignored_faces_does_not_decide() -> None:
    (frame,) = frames_of({0: 0.2, 1: 0.9})
    tracks = score_tracks([ignoring(frame, Reason.FACE_TOO_SMALL, 1)])
    deciding = deciding_track(tracks)
    assert deciding is not None
    assert deciding.track == 0
    assert (tracks[1].score, tracks[1].counts, tracks[1].ignored) == (None, True, "face_too_small")


def test_where_all_tracks_are_ignored_the_most_frequent_reason_is_given() -> None:
    (frame,) = frames_of({0: 0.2, 1: 0.9, 2: 0.9})
    frame = ignoring(ignoring(frame, Reason.TOO_SOFT), Reason.FACE_TOO_SMALL, 0)
    tracks = score_tracks([frame])
    assert deciding_track(tracks) is None
    assert reason_without_score(tracks) == "too_soft"


def test_a_track_needs_enough_frames() -> None:
    frames = frames_of({0: 0.2}, {0: 0.2}, {0: 0.2})
    assert score_tracks(frames, frames_needed=3)[0].ignored is None
    assert score_tracks(frames, frames_needed=4)[0].ignored == "too_few_frames"
    soft = [frames[0], *(ignoring(frame, Reason.TOO_SOFT) for frame in frames[1:])]
    assert score_tracks(soft, frames_needed=3)[0].ignored == "too_soft"


def test_a_short_track_is_not_said_to_be_ignored() -> None:
    tracks = score_tracks(frames_of({0: 0.1, 1: 1.0}, {0: 0.1}, {0: 0.1}, {0: 0.1}), frames_needed=2)
    assert (tracks[1].counts, tracks[1].ignored) == (False, None)
