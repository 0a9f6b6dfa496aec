"""Combine the scores of faces into the score of a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from realface.detection.outcome import Reason, main_reason
from realface.detection.verdict import FaceScore, FrameScore, TrackScore

RULE = (
    "a track's score is the mean of its faces' scores; the file's score is the highest score of the tracks that count; "
    "a track counts when it covers at least a third of the frames with faces, or when no track is longer; faces and "
    "tracks outside the range that the detector was validated on are ignored"
)


def score_tracks(frames: Sequence[FrameScore], *, frames_needed: int = 1) -> tuple[TrackScore, ...]:
    """Score every track and decide which tracks count.

    A face found by mistake in one or two frames of a video makes a short track, which must not decide. In an image
    every face is a track that covers the single frame, so all tracks count. In a video cut from many short shots,
    people outside the longest shots do not count, but the result contains their scores.

    Args:
        frames: frames with scored faces, numbered by track.
        frames_needed: smallest number of faces that are not ignored for a track to count.

    Returns:
        One entry per track, in the order of track numbers.
    """
    tracks: dict[int, list[FaceScore]] = defaultdict(list)
    for frame in frames:
        for face in frame.faces:
            tracks[face.track].append(face)
    with_faces = sum(1 for frame in frames if frame.faces)
    longest = max((len(track) for track in tracks.values()), default=0)
    return tuple(
        _scored(
            number,
            track,
            counts=3 * len(track) >= with_faces or len(track) == longest,
            frames_needed=frames_needed,
        )
        for number, track in sorted(tracks.items())
    )


def _scored(number: int, faces: Sequence[FaceScore], *, counts: bool, frames_needed: int) -> TrackScore:
    scores = [face.score for face in faces if face.ignored is None]
    ignored = None
    if counts and len(scores) < frames_needed:
        ignored = (
            Reason.TOO_FEW_FRAMES
            if len(faces) < frames_needed or len(scores) == len(faces)
            else main_reason(face.ignored for face in faces if face.ignored is not None)
        )
    return TrackScore(
        track=number,
        num_frames=len(faces),
        score=sum(scores) / len(scores) if scores else None,
        counts=counts,
        ignored=ignored,
    )


def deciding_track(tracks: Sequence[TrackScore]) -> TrackScore | None:
    """Return the track whose score is the file's: the highest score that counts and is not ignored, or None."""
    able = [(track.score, track) for track in tracks if track.counts and track.score is not None and not track.ignored]
    return max(able, key=lambda pair: pair[0])[1] if able else None


def reason_without_score(tracks: Sequence[TrackScore]) -> Reason:
    """Return the reason for a missing score: no face was found, or the main reason for ignoring the counting tracks."""
    reasons = [track.ignored for track in tracks if track.counts and track.ignored is not None]
    return main_reason(reasons) if reasons else Reason.NO_FACE
