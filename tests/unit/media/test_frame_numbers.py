from fractions import Fraction

from av.video.frame import VideoFrame

from realface.media.videos import numbered


def frames(*stamps: int | None) -> list[VideoFrame]:
    made = [VideoFrame(16, 16, "gray") for _ in stamps]
    for frame, stamp in zip(made, stamps, strict=True):
        frame.time_base = Fraction(1, 25)
        frame.pts = stamp
    return made


def test_a_frame_that_is_not_shown_shifts_no_number():
    numbers = {10: 0, 20: 1, 30: 2, 40: 3}
    shown = list(numbered(frames(5, 10, 15, 20, None, 30, 40), numbers))
    assert [(number, frame.pts) for number, frame in shown] == [(0, 10), (1, 20), (2, 30), (3, 40)]


def test_frames_without_time_stamps_are_numbered_by_place():
    assert [number for number, _ in numbered(frames(None, 7, 7), {})] == [0, 1, 2]
