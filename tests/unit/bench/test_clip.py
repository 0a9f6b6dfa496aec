from pathlib import Path

import numpy as np

from realface.bench.clip import ClipSize, portrait_frames, write_clip
from realface.media.videos import VideoReader

SMALL = ClipSize(height=90, width=160, fps=5, duration_s=1.0)


def test_the_default_clip_is_ten_seconds_of_720p() -> None:
    assert (ClipSize().height, ClipSize().width, ClipSize().num_frames) == (720, 1280, 250)


def test_the_clip_has_the_size_and_length_asked_for(tmp_path: Path) -> None:
    info = VideoReader.open(write_clip(tmp_path / "clip.mp4", SMALL)).info()
    assert (info.height, info.width, info.num_frames) == (90, 160, 5)


def test_the_portrait_moves_and_is_the_same_every_time() -> None:
    first, again = list(portrait_frames(SMALL)), list(portrait_frames(SMALL))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[-1])
