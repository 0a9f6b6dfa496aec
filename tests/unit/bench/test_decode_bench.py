import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realface.bench import decode_bench
from realface.bench.clip import ClipSize, portrait_frames
from realface.bench.decode_bench import (
    GRAIN,
    DecodeSize,
    bench_decode,
    decode_table,
    evenly_spread,
    grainy_frames,
    key_frames,
    seeking,
    sequential,
)
from realface.media.video_writing import write_video

SMALL = ClipSize(height=36, width=64, fps=5, duration_s=2)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decode") / "a.mp4"
    write_video(path, grainy_frames(SMALL), fps=SMALL.fps)
    return path


def test_every_way_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_bench, "THREADS", {"all": 0})  # three processes rather than six
    result = bench_decode(repeats=2, size=DecodeSize(clip=SMALL, num_frames=3), quiet=True)
    assert json.loads(json.dumps(result)) == result
    assert result["clip"] == {"height": 36, "width": 64, "fps": 5, "duration_s": 2}
    assert (result["num_frames"], result["key_frames"]) == (3, [0])
    assert list(result["threads"]) == ["all"]
    variants = result["threads"]["all"]
    assert list(variants) == ["sequential", "spread", "seeking"]
    assert all(variant["seconds"]["min"] > 0 for variant in variants.values())
    assert variants["sequential"]["times_sequential"] == {"median": 1, "min": 1, "max": 1}


def test_one_thread_is_timed_and_all_are() -> None:
    assert decode_bench.THREADS == {"1": 1, "all": 0}


@pytest.mark.parametrize("threads", [1, 0])
def test_seeking_gives_the_frames_that_are_compared(video: Path, threads: int) -> None:
    ours, theirs = evenly_spread(video, 4, threads)(), seeking(video, 4, threads)()
    assert len(ours) == len(theirs) == 4
    assert all(np.array_equal(own, other) for own, other in zip(ours, theirs, strict=True))
    assert len({own.tobytes() for own in ours}) == 4
    sequential(video, threads)()


def test_the_default_is_300_frames_with_a_key_frame_every_250(tmp_path: Path) -> None:
    size = DecodeSize()
    assert (size.clip.height, size.clip.width, size.clip.num_frames, size.num_frames) == (720, 1280, 300, 32)
    small = ClipSize(height=36, width=64, fps=size.clip.fps, duration_s=size.clip.duration_s)
    write_video(tmp_path / "a.mp4", grainy_frames(small), fps=small.fps)
    assert key_frames(tmp_path / "a.mp4") == [0, 250]


def test_the_grain_is_as_strong_as_said_and_new_in_every_frame() -> None:
    size = ClipSize(height=180, width=320, fps=5, duration_s=1)
    grain = [
        (grainy.astype(int) - plain)[..., 0][(plain[..., 0] > 20) & (plain[..., 0] < 235)]
        for grainy, plain in islice(zip(grainy_frames(size), portrait_frames(size), strict=True), 2)
    ]
    assert grain[0].std() == pytest.approx(GRAIN, rel=0.1)
    assert not np.array_equal(grain[0][:1000], grain[1][:1000])


def test_the_table_names_threads_and_ways() -> None:
    stats = {"median": 0.5, "min": 0.25, "max": 1.0}
    variants: dict[str, Any] = {"spread": {"seconds": stats, "times_sequential": stats}}
    result = {
        "clip": {"height": 720, "width": 1280, "fps": 30, "duration_s": 10.0},
        "megabits_per_s": 3.14,
        "key_frames": [0, 250],
        "num_frames": 32,
        "threads": {"1": variants},
    }
    assert [" ".join(line.split()) for line in decode_table(result)] == [
        "32 frames of 10 s of 1280 x 720 at 30 frames/s, 3.1 Mbit/s, 2 key frames",
        "threads: 1; seconds, and as a multiple of one sequential decode",
        "spread 0.500 ( 0.250 - 1.000) 0.50 ( 0.25 - 1.00)",
    ]
