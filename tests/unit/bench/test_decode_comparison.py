import json
from dataclasses import replace
from pathlib import Path

import av
import pytest

from realface.bench.clip import ClipSize
from realface.bench.decode_bench import DecodeSize
from realface.bench.decode_comparison import KINDS, compare_decoding
from realface.bench.process_cost import ProcessCost
from realface.bench.source_trees import CHECKOUT
from realface.core.errors import MediaError, MissingInputError

SMALL = DecodeSize(clip=ClipSize(height=48, width=64, fps=5, duration_s=2), num_frames=3)
COST = ProcessCost(wall_s=20.0, cpu_s=30.0, peak_bytes=4, exit_code=0, output="", errors="")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    compare_decoding(folder, size=SMALL)
    return folder


def test_every_kind_is_read_by_one_thread_and_by_all(tmp_path: Path) -> None:
    comparison = compare_decoding(tmp_path, size=SMALL, reads=2)
    names = [f"{kind}, {threads}" for kind in KINDS for threads in ("1 thread", "all threads")]
    assert (list(comparison.cases), comparison.unit) == (names, "frames")
    probe = str(CHECKOUT / "src" / "realface" / "bench" / "decode_probe.py")
    listing = tmp_path / "h264.ts.json"
    assert comparison.cases["h264.ts, 1 thread"].arguments(tmp_path) == [probe, str(listing), "3", "1", "2"]
    assert comparison.cases["h264.ts, all threads"].arguments(tmp_path) == [probe, str(listing), "3", "0", "2"]
    assert json.loads(listing.read_text()) == [str(tmp_path / "h264.ts")]
    assert comparison.inputs["num_frames"] == 3
    assert comparison.inputs["bytes"].keys() == KINDS.keys()
    assert json.loads(json.dumps(comparison.inputs)) == comparison.inputs


@pytest.mark.parametrize("kind", KINDS)
def test_each_clip_is_of_its_kind_and_has_all_frames(clips: Path, kind: str) -> None:
    with av.open(str(clips / kind)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert (len(frames), stream.codec_context.name) == (
            10,
            "mpeg4" if "mpeg4" in kind else "vp8" if "vp8" in kind else "h264",
        )
        assert {frame.interlaced_frame for frame in frames} == {kind == "interlaced.ts"}
        container_name = {"mp4": "mov", "mkv": "matroska", "webm": "matroska", "ts": "mpegts", "avi": "avi"}
        assert container.format.name.split(",")[0] == container_name[kind.partition(".")[2]]


def test_the_probes_seconds_count_not_those_of_its_start(clips: Path, tmp_path: Path) -> None:
    case = next(iter(compare_decoding(tmp_path, size=SMALL).cases.values()))
    output = 'a line of a library\n{"wall_s": [3.0, 1.0, 2.0], "cpu_s": [6.0, 4.0, 5.0], "count": 3}\n'
    measured = case.measure(replace(COST, output=output), tmp_path)
    assert (measured.wall_s, measured.cpu_s, measured.peak_bytes, measured.count) == (2.0, 5.0, 4, 3)


def test_real_videos_are_read_instead_of_clips(clips: Path, tmp_path: Path) -> None:
    from realface.media.images import write_image

    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("h264.mp4", "vp8.webm"):
        (videos / name).write_bytes((clips / name).read_bytes())
    (videos / "damaged.mp4").write_bytes(b"no video")
    with av.open(str(clips / "h264.mp4")) as container:
        write_image(videos / "face.png", next(container.decode(video=0)).to_ndarray(format="rgb24"))
    comparison = compare_decoding(tmp_path, videos=videos)
    assert list(comparison.cases) == ["videos, 1 thread", "videos, all threads"]
    listed = json.loads(Path(comparison.cases["videos, 1 thread"].arguments(tmp_path)[1]).read_text())
    assert listed == [str(videos / "h264.mp4"), str(videos / "vp8.webm")]
    size = sum((videos / name).stat().st_size for name in ("h264.mp4", "vp8.webm"))
    assert comparison.inputs == {"num_frames": 32, "num_videos": 2, "bytes": size}


def test_a_folder_without_a_readable_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "damaged.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError) as raised:
        compare_decoding(tmp_path, videos=tmp_path)
    assert str(raised.value) == f"{tmp_path} contains no video that can be read; give another folder"
    assert raised.value.reason == "empty folder"
    with pytest.raises(MissingInputError):
        compare_decoding(tmp_path, videos=tmp_path / "nowhere")
