import pytest

from realface.core.boxes import Box
from realface.detection.aggregation import deciding_track, score_tracks
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
    assert deciding_track(tracks).track == 1
    assert deciding_track(tracks).score == pytest.approx(0.7)


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
