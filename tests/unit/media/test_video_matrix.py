"""Every kind of video file, compared with what was drawn and with what the `ffmpeg` command decodes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ffmpeg_oracle import decode, missing_encoders, probe_times
from numbered_frames import Image, mean_colours, read_number
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
    images = images_of_oracle(case, path)
    reader = open_media(path)
    check_frames(case, list(reader.frames_at(range(1000))), images)
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


def images_of_oracle(case: Case, path: Path) -> list[Image]:
    """Return what a player shows, and make sure that FFmpeg sees the video as it was meant.

    FFmpeg does not convert HDR here, so an HDR video has to look like the SDR images that it was made from.
    """
    images = decode(path, case.expected_sizes, stream=case.stream, filters=case.filters, decoder=case.decoder)
    times = probe_times(path, stream=case.stream)
    if times is not None and not case.clock_jumps:
        assert times == pytest.approx(case.expected_times, abs=case.time_tolerance_s), "times of ffprobe"
    drawn = [case.expected_image(at) for at in range(len(case.numbers))]
    assert len(images) == len(drawn), "number of frames that ffmpeg shows"
    if case.hdr is not None:
        return drawn
    assert [read_number(image) for image in images] == list(case.numbers), "numbers that ffmpeg shows"
    for image, original in zip(images, drawn, strict=True):
        assert np.abs(mean_colours(image) - mean_colours(original)).max() <= 6, "colours that ffmpeg shows"
    return images


def check_frames(case: Case, frames: list[Frame], images: list[Image]) -> None:
    assert [frame.index for frame in frames] == list(range(len(case.numbers))), "number of frames"
    assert [read_number(frame.image) for frame in frames] == list(case.numbers), "bar codes"
    times = [frame.time_s for frame in frames]
    assert times == pytest.approx(case.expected_times, abs=case.time_tolerance_s), "times"
    assert all(earlier < later for earlier, later in pairwise(times))
    assert_sizes([frame.image.shape[:2] for frame in frames], case.expected_sizes)
    for at, frame in enumerate(frames):
        assert frame.hdr == case.hdr
        assert frame.image.dtype == np.uint8
        assert frame.image.flags["C_CONTIGUOUS"]
        off = np.abs(mean_colours(frame.image) - mean_colours(images[at]))
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
