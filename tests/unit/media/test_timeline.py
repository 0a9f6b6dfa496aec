from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from realface.media import timeline
from realface.media.videos import VideoReader


def written(
    path: Path,
    codec: str,
    *,
    times: Sequence[int] = range(20),
    size: tuple[int, int] = (48, 64),
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video with frames at `times`, in units of 1/25 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for number, time in enumerate(times):
            frame = VideoFrame.from_ndarray(np.full((*size, 3), 10 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_varying_rate_is_told_as_its_mean(tmp_path: Path, suffix: str):
    times = [*range(0, 250, 25), *range(250, 260)]  # 10 frames of 1 s, then 10 frames of 1/25 s
    info = VideoReader.open(written(tmp_path / f"a{suffix}", "libx264", times=times)).info()
    assert info.fps == pytest.approx(20 / 10.4, rel=0.1)  # the last frame may be as long as the first


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_progressive_h264_is_counted_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str):
    path = written(tmp_path / f"a{suffix}", "libx264")
    monkeypatch.setattr(timeline, "_count_by_decoding", lambda *_, **__: pytest.fail("was decoded"))
    assert VideoReader.open(path).info().num_frames == 20


def test_av1_is_named_and_counted_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = {"preset": "12", "svtav1-params": "lp=1"}
    path = written(tmp_path / "a.mkv", "libsvtav1", times=range(4), size=(64, 64), options=options)
    monkeypatch.setattr(timeline, "_count_by_decoding", lambda *_, **__: pytest.fail("was decoded"))
    info = VideoReader.open(path).info()
    assert (info.codec, info.num_frames) == ("av1", 4)


def test_interlaced_frames_of_a_few_lines_are_read(tmp_path: Path):
    options = {"flags": "+ildct+ilme", "top": "1"}
    path = written(tmp_path / "a.mkv", "mpeg2video", times=range(3), size=(4, 16), options=options)
    assert [frame.size for frame in VideoReader.open(path).frames_at(range(3))] == [(4, 16)] * 3
