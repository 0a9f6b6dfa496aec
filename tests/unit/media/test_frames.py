import pytest

from realface.media.frames import has_constant_rate, spread_indices, spread_over_time


def at_rates(*parts: tuple[int, float]) -> list[float]:
    """Return the times of frames: so many with such a duration, part after part."""
    durations = [duration for count, duration in parts for _ in range(count)]
    return [sum(durations[:index]) for index in range(len(durations))]


@pytest.mark.parametrize("num_frames", [1, 2, 3, 17, 64, 300])
@pytest.mark.parametrize("count", [1, 3, 8, 32, 400])
def test_a_constant_rate_gives_the_numbers_that_counting_gives(num_frames: int, count: int):
    times = at_rates((num_frames, 1 / 29.97))
    assert spread_over_time(times, count) == spread_indices(num_frames, count)
    rounded = [round(time, 3) for time in times]  # as Matroska stores them
    assert spread_over_time(rounded, count) == spread_indices(num_frames, count)


def test_frames_are_spread_over_time_where_the_rate_varies():
    times = at_rates((30, 2.0), (241, 1 / 60))  # 60 of 64 seconds are slow
    chosen = spread_over_time(times, 32)
    assert chosen == [*range(30), 90, 210]  # the middles of parts of 2 s: 1, 3, ..., 59, 61 and 63


def test_a_frame_shown_for_long_counts_once_and_others_take_its_places():
    times = at_rates((1, 30.0), (30, 1.0))
    assert spread_over_time(times, 4) == [0, 8, 16, 23]  # 7.5 and 22.5 s show frame 0; 16 is in the middle of the rest


def test_parts_are_spread_over_their_own_time():
    times = at_rates((10, 1.0), (20, 0.1), (10, 1.0))
    assert spread_over_time(times, 2, spans=[(5, 9), (30, 34)]) == [7, 32]


def test_a_part_beyond_the_end_has_no_frames():
    assert spread_over_time(at_rates((10, 1.0), (20, 0.1)), 2, spans=[(40, 50)]) == []


def test_a_short_video_of_varying_rate_gives_all_its_frames():
    assert spread_over_time([0.0, 1.0, 1.1], 8) == [0, 1, 2]


@pytest.mark.parametrize(("times", "expected"), [([0], True), ([0, 5], True), ([0, 1, 2, 3], True), ([0, 1, 9], False)])
def test_a_rate_is_constant_if_no_frame_is_far_from_its_place(times: list[float], expected: bool):
    assert has_constant_rate(times, within=0.5) == expected
