"""Every kind of video file, compared with what was drawn and with what the `ffmpeg` command decodes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ffmpeg_oracle import decode, missing_encoders, probe_times
from numbered_frames import mean_colours, read_number
from realface.media.frames import Frame, MediaReader
from realface.media.opening import open_media
from video_matrix import CASES, Case

QUICK = [name for name, case in CASES.items() if case.quick]
LONG = [name for name, case in CASES.items() if not case.quick]


def check(case: Case, folder: Path) -> None:
    """Compare all frames of the video, and eight of them, with the right answers."""
    missing = missing_encoders(*case.encoders)
    if missing:
        pytest.skip(missing)
    folder.mkdir()
    path = folder / case.file
    case.build(path)
    check_against_oracle(case, path)
    reader = open_media(path)
    check_frames(case, list(reader.frames_at(range(1000))))
    check_reader(case, reader)


def check_reader(case: Case, reader: MediaReader) -> None:
    assert reader.kind == "video"
    assert reader.num_damaged == 0
    info = reader.info()
    assert info.num_frames == len(case.numbers)
    assert_sizes([(info.height, info.width)], case.expected_sizes[:1])
    assert info.hdr == case.hdr
    spread = list(reader.frames(8))
    assert_evenly_spread([frame.index for frame in spread], case.expected_times)
    assert [read_number(frame.image) for frame in spread] == [case.numbers[frame.index] for frame in spread]
    assert reader.num_damaged == 0


def check_against_oracle(case: Case, path: Path) -> None:
    """Make sure that FFmpeg sees the case as it was meant; HDR, which it does not convert, excepted."""
    images = decode(path, case.expected_sizes, stream=case.stream, filters=case.filters, decoder=case.decoder)
    times = probe_times(path, stream=case.stream)
    if times is not None and not case.clock_jumps:
        assert times == pytest.approx(case.expected_times, abs=case.time_tolerance_s)
    if case.hdr is None:
        assert [read_number(image) for image in images] == list(case.numbers), "numbers that ffmpeg shows"
        for at, image in enumerate(images):
            assert np.abs(mean_colours(image) - mean_colours(case.expected_image(at))).max() <= 6


def check_frames(case: Case, frames: list[Frame]) -> None:
    assert [frame.index for frame in frames] == list(range(len(case.numbers)))
    assert [read_number(frame.image) for frame in frames] == list(case.numbers), "numbers of the frames"
    times = [frame.time_s for frame in frames]
    assert times == pytest.approx(case.expected_times, abs=case.time_tolerance_s)
    assert all(earlier < later for earlier, later in pairwise(times))
    assert_sizes([frame.image.shape[:2] for frame in frames], case.expected_sizes)
    for at, frame in enumerate(frames):
        assert frame.hdr == case.hdr
        assert frame.image.dtype == np.uint8
        assert frame.image.flags["C_CONTIGUOUS"]
        off = np.abs(mean_colours(frame.image) - mean_colours(case.expected_image(at)))
        assert off[0].max() <= (6 if case.hdr else 3), f"mean colour of frame {at}"
        assert off[1:].max() <= (12 if case.hdr else 6), f"mean colour of a quarter of frame {at}"


def assert_sizes(sizes: list[tuple[int, ...]], expected: list[tuple[int, int]]) -> None:
    """Sizes after a change of the pixel aspect ratio are rounded, so they may differ by one pixel."""
    assert len(sizes) == len(expected)
    assert np.abs(np.array(sizes) - np.array(expected)).max() <= 1, (sizes[0], expected[0])


def assert_evenly_spread(indices: list[int], times: list[float]) -> None:
    """Expect eight frames, among them those shown in the middle of each eighth of the time."""
    steps = np.diff(times)
    end = times[-1] + float(np.median(steps))
    middles = [sum(time <= (2 * part + 1) / 16 * end for time in times) - 1 for part in range(8)]
    if steps.max() < 1.5 * steps.min():  # a constant rate: the time stamps are rounded, the numbers are exact
        middles = [(2 * part + 1) * len(times) // 16 for part in range(8)]
    assert len(indices) == min(8, len(times))
    assert indices == sorted(set(indices))
    if len(times) > 8:
        assert set(middles) <= set(indices)


@pytest.mark.parametrize("name", QUICK)
def test_a_video_is_read_as_ffmpeg_shows_it(name: str, tmp_path: Path):
    check(CASES[name], tmp_path / "a")


@pytest.mark.long
@pytest.mark.parametrize("name", LONG)
def test_a_rarer_video_is_read_as_ffmpeg_shows_it(name: str, tmp_path: Path):
    check(CASES[name], tmp_path / "a")
