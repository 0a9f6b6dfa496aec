from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from realface.core.errors import MediaError
from realface.media.video_writing import write_video


def moving_colours(num_frames: int, *, height: int = 66, width: int = 98) -> list[NDArray[np.uint8]]:
    image = np.full((height, width, 3), [200, 180, 160], np.uint8)
    image[:32, :32] = [200, 30, 30]
    image[:32, 32:] = [30, 200, 30]
    image[32:, :32] = [30, 30, 200]
    return [np.roll(image, index, axis=1) for index in range(num_frames)]


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_frames_are_read_back_in_order_and_nearly_unchanged(tmp_path: Path):
    frames = moving_colours(12)
    write_video(tmp_path / "new folder" / "ein Film: ä %03d.mp4", frames, crf=10)
    read = decoded(tmp_path / "new folder" / "ein Film: ä %03d.mp4")
    assert len(read) == 12
    for image, expected in zip(read, frames, strict=True):
        assert np.abs(image.astype(int) - expected).mean() < 6  # yuv420p halves the colours' resolution


def test_the_stream_is_what_every_player_shows(tmp_path: Path):
    write_video(tmp_path / "a.mp4", moving_colours(5), fps=29.97)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, stream.frames) == ("h264", "yuv420p", 5)
        assert float(stream.average_rate) == pytest.approx(29.97, abs=0.001)
        assert (context.colorspace, context.color_range) == (1, 1)  # BT.709, limited


def test_the_same_frames_give_the_same_bytes(tmp_path: Path):
    # With x264's own macroblock tree, these frames give up to five different files in six attempts.
    contents = set()
    for _ in range(6):
        write_video(tmp_path / "a.mp4", moving_colours(50), fps=29.97)
        contents.add((tmp_path / "a.mp4").read_bytes())
    assert len(contents) == 1


def test_the_last_row_and_column_of_odd_sizes_are_repeated(tmp_path: Path):
    image = np.full((33, 51, 3), 100, np.uint8)
    write_video(tmp_path / "a.mp4", [image] * 2)
    read = decoded(tmp_path / "a.mp4")[0]
    assert read.shape == (34, 52, 3)
    assert np.abs(read.astype(int) - 100).max() <= 3


def test_a_higher_rate_factor_makes_a_smaller_file(tmp_path: Path):
    noise = list(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8))
    write_video(tmp_path / "fine.mp4", noise, crf=23)
    write_video(tmp_path / "coarse.mp4", noise, crf=40)
    assert (tmp_path / "coarse.mp4").stat().st_size < (tmp_path / "fine.mp4").stat().st_size / 2


def test_no_frames_are_refused(tmp_path: Path):
    with pytest.raises(MediaError, match=r"cannot write .*a\.mp4: there are no frames$") as caught:
        write_video(tmp_path / "a.mp4", [])
    assert caught.value.reason == "no frames"
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_refused(tmp_path: Path):
    with pytest.raises(MediaError, match=r"cannot write .*a\.avi: give a name that ends in \.mp4$") as caught:
        write_video(tmp_path / "a.avi", moving_colours(1))
    assert caught.value.reason == "unsupported"


def test_frames_of_different_sizes_are_refused_and_leave_nothing(tmp_path: Path):
    frames = [*moving_colours(3), *moving_colours(1, height=64)]
    with pytest.raises(MediaError, match=r"a\.mp4: frame 3 has the shape \(64, 98, 3\), the first \(66, 98, 3\); give"):
        write_video(tmp_path / "a.mp4", frames)
    assert not list(tmp_path.iterdir())


def test_an_interruption_keeps_the_older_file_and_leaves_nothing_else(tmp_path: Path):
    def interrupted() -> Iterator[NDArray[np.uint8]]:
        yield from moving_colours(3)
        raise KeyboardInterrupt

    (tmp_path / "a.mp4").write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", interrupted())
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"older"
