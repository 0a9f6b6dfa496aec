"""From the scores of faces to the score of a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from realface.detection.verdict import FrameScore, TrackScore

RULE = (
    "a track's score is the mean of its faces' scores; the file's score is the highest score of the tracks that count; "
    "a track counts when it covers at least a third of the frames with faces, or when no track is longer"
)


def score_tracks(frames: Sequence[FrameScore]) -> tuple[TrackScore, ...]:
    """Score every track and say which ones count.

    A face found by mistake in one or two frames of a video makes a short track; it must not decide. In a picture each
    face is a track that covers the one frame, so all count. In a video cut from many short shots, people outside
    the longest shots do not count, but their scores stand in the answer.

    Args:
        frames: with their faces scored and numbered by track.

    Returns:
        One per track, in the order of their numbers.
    """
    scores: dict[int, list[float]] = defaultdict(list)
    for frame in frames:
        for face in frame.faces:
            scores[face.track].append(face.score)
    with_faces = sum(1 for frame in frames if frame.faces)
    longest = max((len(track) for track in scores.values()), default=0)
    return tuple(
        TrackScore(
            track=number,
            num_frames=len(track),
            score=sum(track) / len(track),
            counts=3 * len(track) >= with_faces or len(track) == longest,
        )
        for number, track in sorted(scores.items())
    )


def deciding_track(tracks: Sequence[TrackScore]) -> TrackScore:
    """The track whose score is the file's: the highest one that counts; there must be a track."""
    return max((track for track in tracks if track.counts), key=lambda track: track.score)
