import struct
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from av.stream import Disposition
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from realface.core.errors import MediaError, MissingInputError
from realface.media import containers, timeline, videos
from realface.media.decoding import VideoDecoder
from realface.media.frames import Frame, VideoInfo, spread_indices
from realface.media.videos import VideoReader, is_video_name

HEIGHT, WIDTH = 48, 64
CONTAINERS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".avi": "mpeg4", ".mpg": "mpeg2video"}


def grey_of(index: int) -> int:
    """Each of the first 50 frames has its own grey, 4 apart, so that a decoded frame says which one it is."""
    return 20 + 4 * index


def numbered_frames(num_frames: int) -> list[NDArray[np.uint8]]:
    return [np.full((HEIGHT, WIDTH, 3), grey_of(index), np.uint8) for index in range(num_frames)]


def number_of(image: NDArray[np.uint8]) -> int:
    return round((float(image.mean()) - 20) / 4)


def written_video(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    times: Sequence[int] | None = None,
    gop: int = 12,
    has_index_first: bool = False,
) -> Path:
    """A video of 25 frames per second, or with frames at `times` in units of 1/25 s."""
    options = {"movflags": "faststart"} if has_index_first else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(CONTAINERS[path.suffix], rate=25)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        stream.gop_size = gop
        if CONTAINERS[path.suffix] == "libx264":
            stream.options = {"crf": "5"}
        else:
            stream.bit_rate = 4_000_000
        for index, image in enumerate(images):
            frame = VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = times[index] if times else index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def spread_frames(
    path: Path, count: int, *, spans: Collection[tuple[int, int]] = (), threads: int = 0
) -> Iterator[Frame]:
    yield from VideoReader.open(path, threads=threads).frames(count, spans=spans)


def frames_at(path: Path, indices: Collection[int], *, threads: int = 0) -> Iterator[Frame]:
    yield from VideoReader.open(path, threads=threads).frames_at(indices)


def probe_video(path: Path, *, threads: int = 0) -> VideoInfo:
    return VideoReader.open(path, threads=threads).info()


def overwrite(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def set_display_matrix(path: Path, matrix: Sequence[int]) -> None:
    """Put the 2 x 2 part a, b, c, d of a matrix into an MP4's track header: (x, y) = (a p + c q, b p + d q)."""
    a, b, c, d = (value << 16 for value in matrix)
    start = path.read_bytes().index(b"tkhd") + 4 + 40  # ISO/IEC 14496-12, 8.3.2: what stands before the matrix
    overwrite(path, start, struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))


def frame_data(path: Path) -> tuple[int, int]:
    """Where an MP4's frames begin, and how many bytes they are."""
    start = path.read_bytes().index(b"mdat") + 4
    return start, struct.unpack(">I", path.read_bytes()[start - 8 : start - 4])[0] - 8


def test_the_suffix_of_a_video_is_known_in_any_case():
    assert is_video_name(Path("a.MP4"))
    assert is_video_name(Path("b.webm"))
    assert not is_video_name(Path("c.gif"))


@pytest.mark.parametrize(
    ("num_frames", "count", "expected"),
    [
        (10, 1, [5]),
        (10, 2, [2, 7]),
        (12, 3, [2, 6, 10]),
        (10, 4, [1, 3, 6, 8]),
        (300, 5, [30, 90, 150, 210, 270]),
        (3, 3, [0, 1, 2]),
        (3, 8, [0, 1, 2]),
        (0, 4, []),
    ],
)
def test_indices_are_the_middles_of_equal_parts(num_frames: int, count: int, expected: list[int]):
    assert spread_indices(num_frames, count) == expected


def test_indices_are_distinct_whenever_there_are_enough_frames():
    for num_frames in range(1, 60):
        for count in range(1, num_frames + 1):
            indices = spread_indices(num_frames, count)
            assert indices == sorted(set(indices))
            assert len(indices) == count
            assert 0 <= indices[0] <= indices[-1] < num_frames


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_the_frames_asked_for_are_the_ones_decoded(tmp_path: Path, suffix: str):
    path = written_video(tmp_path / f"ein Video, größer: 1%03d{suffix}", numbered_frames(40))
    frames = list(spread_frames(path, 4))
    assert [frame.index for frame in frames] == [5, 15, 25, 35]
    assert [number_of(frame.image) for frame in frames] == [5, 15, 25, 35]
    assert all(frame.image.shape == (HEIGHT, WIDTH, 3) for frame in frames)
    assert all(frame.image.dtype == np.uint8 and frame.image.flags["C_CONTIGUOUS"] for frame in frames)


def test_one_long_group_of_pictures_is_read_as_well(tmp_path: Path):
    path = written_video(tmp_path / "a.mp4", numbered_frames(40), gop=1000)
    assert [number_of(frame.image) for frame in spread_frames(path, 3)] == [6, 20, 33]


def test_frames_are_read_by_their_numbers_and_those_it_does_not_have_passed_over(tmp_path: Path):
    path = written_video(tmp_path / "a.mp4", numbered_frames(20))
    frames = list(frames_at(path, [17, 3, 40]))
    assert [frame.index for frame in frames] == [3, 17]
    assert [number_of(frame.image) for frame in frames] == [3, 17]


def test_a_video_without_any_of_the_frames_asked_for_is_an_error(tmp_path: Path):
    path = written_video(tmp_path / "a.mp4", numbered_frames(3))
    with pytest.raises(MediaError, match="has no frames that can be decoded"):
        list(frames_at(path, [3]))


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_the_number_of_threads_changes_no_pixel(tmp_path: Path, suffix: str):
    noise = np.random.default_rng(0).integers(0, 256, (12, HEIGHT, WIDTH, 3), dtype=np.uint8)
    path = written_video(tmp_path / f"a{suffix}", list(noise))
    alone, *others = (list(spread_frames(path, 5, threads=threads)) for threads in (1, 0, 3))
    for frames in others:
        assert [(frame.index, frame.time_s) for frame in frames] == [(frame.index, frame.time_s) for frame in alone]
        assert all(np.array_equal(frame.image, one.image) for frame, one in zip(frames, alone, strict=True))
    assert probe_video(path, threads=1) == probe_video(path)


@pytest.mark.parametrize(
    "read",
    [
        lambda path, threads: list(spread_frames(path, 2, threads=threads)),
        lambda path, threads: list(frames_at(path, [0], threads=threads)),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])  # counted by packets, and by decoding
def test_so_many_threads_decode_as_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read, threads: int, suffix: str
):
    counts = []

    class Noted(VideoDecoder):
        def frames(self) -> Iterator[VideoFrame]:
            counts.append(self._stream.codec_context.thread_count)
            return super().frames()

    monkeypatch.setattr(videos, "VideoDecoder", Noted)
    monkeypatch.setattr(timeline, "VideoDecoder", Noted)
    read(written_video(tmp_path / f"a{suffix}", numbered_frames(3)), threads)
    assert counts == [threads] * len(counts)


def test_a_short_video_gives_all_its_frames(tmp_path: Path):
    path = written_video(tmp_path / "a.mp4", numbered_frames(3))
    assert [number_of(frame.image) for frame in spread_frames(path, 10)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(10, 19)], [11, 13, 16, 18]),  # the 1st, 3rd, 6th and 8th of ten, as `spread_indices(10, 4)`
        ([(10, 14), (30, 34)], [11, 13, 31, 33]),
        ([(30, 34), (10, 14)], [11, 13, 31, 33]),
        ([(10, 16), (13, 19)], [11, 13, 16, 18]),  # frames in two spans count once
        ([(32, 99)], [33, 35, 37, 39]),  # of the eight from 32 to the last, 39
        ([(38, 99), (500, 600)], [38, 39]),
        ([(7, 7)], [7]),
        ([(0, 0), (39, 39)], [0, 39]),
    ],
)
def test_frames_are_spread_over_the_parts_of_a_video(tmp_path: Path, spans: list[tuple[int, int]], expected: list[int]):
    frames = list(spread_frames(written_video(tmp_path / "a.mp4", numbered_frames(40)), 4, spans=spans))
    assert [frame.index for frame in frames] == expected
    assert [number_of(frame.image) for frame in frames] == expected
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in expected])


@pytest.mark.parametrize("spans", [[(3, 9)], [(2, 1), (100, 10**12)]])
def test_parts_without_a_frame_are_an_error(tmp_path: Path, spans: list[tuple[int, int]]):
    path = written_video(tmp_path / "a.mp4", numbered_frames(3))
    with pytest.raises(MediaError, match=r"a\.mp4 has no frames in the part \d+ to \d+.*: it has 3, counted") as caught:
        next(spread_frames(path, 4, spans=spans))
    assert caught.value.reason == "no frames in the part"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_times_are_those_of_the_frames(tmp_path: Path, suffix: str):
    path = written_video(tmp_path / f"a{suffix}", numbered_frames(40))
    assert [frame.time_s for frame in spread_frames(path, 4)] == pytest.approx([0.2, 0.6, 1.0, 1.4], abs=0.001)


def test_times_of_a_variable_frame_rate_come_from_its_time_stamps(tmp_path: Path):
    path = written_video(tmp_path / "a.mp4", numbered_frames(4), times=[0, 1, 10, 50])
    assert [frame.time_s for frame in spread_frames(path, 4)] == pytest.approx([0, 0.04, 0.4, 2.0])


def test_times_count_from_the_first_frame(tmp_path: Path):
    path = written_video(tmp_path / "a.mkv", numbered_frames(3), times=[100, 101, 102])
    assert [frame.time_s for frame in spread_frames(path, 3)] == pytest.approx([0, 0.04, 0.08])


def test_colours_come_back_in_the_order_red_green_blue(tmp_path: Path):
    orange = np.full((HEIGHT, WIDTH, 3), [230, 120, 20], np.uint8)
    frame = next(spread_frames(written_video(tmp_path / "a.mp4", [orange] * 3), 1))
    assert np.abs(frame.image.astype(int) - orange).max() <= 4


def test_odd_sizes_are_read(tmp_path: Path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 33, 51, "yuv444p"
        container.mux(stream.encode(VideoFrame.from_ndarray(np.zeros((33, 51, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    assert next(spread_frames(tmp_path / "a.mkv", 1)).image.shape == (33, 51, 3)


@pytest.mark.parametrize(
    ("matrix", "stored_turns"),
    [
        ((1, 0, 0, 1), 0),
        ((0, 1, -1, 0), 1),  # right goes down: shown turned clockwise, so stored turned counter-clockwise
        ((-1, 0, 0, -1), 2),
        ((0, -1, 1, 0), 3),
    ],
)
def test_rotation_tags_are_honoured(tmp_path: Path, matrix: tuple[int, ...], stored_turns: int):
    upright = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    upright[: HEIGHT // 2, : WIDTH // 2] = 220  # the bright quarter is at the top left
    path = written_video(tmp_path / "a.mp4", [np.rot90(upright, stored_turns).copy()] * 3)
    set_display_matrix(path, matrix)
    info = probe_video(path)
    assert (info.height, info.width) == (HEIGHT, WIDTH)
    for frame in spread_frames(path, 2):
        assert frame.image.shape == upright.shape
        assert np.abs(frame.image.astype(int) - upright).mean() < 3
        assert frame.image.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_probing_tells_size_and_length(tmp_path: Path, suffix: str):
    path = written_video(tmp_path / f"a{suffix}", numbered_frames(30))
    info = probe_video(path)
    assert info.path == path
    assert (info.height, info.width, info.num_frames) == (HEIGHT, WIDTH, 30)
    assert info.fps == pytest.approx(25)
    assert info.duration_s == pytest.approx(1.2, abs=0.05)
    assert info.codec == {"libx264": "h264"}.get(CONTAINERS[suffix], CONTAINERS[suffix])


@pytest.mark.parametrize("claimed", [0, 7, 1000])
def test_a_wrong_number_of_frames_in_the_header_is_not_believed(tmp_path: Path, claimed: int):
    path = written_video(tmp_path / "a.avi", numbered_frames(30))
    content = path.read_bytes()
    overwrite(path, content.index(b"avih") + 8 + 16, struct.pack("<I", claimed))  # dwTotalFrames
    overwrite(path, content.index(b"strh") + 8 + 32, struct.pack("<I", claimed))  # dwLength
    assert probe_video(path).num_frames == 30
    assert [number_of(frame.image) for frame in spread_frames(path, 3)] == [5, 15, 25]


def test_a_video_damaged_in_the_middle_gives_frames_from_around_it(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (30, HEIGHT, WIDTH, 3), dtype=np.uint8)
    path = written_video(tmp_path / "a.mp4", list(noise), gop=5)
    start, size = frame_data(path)
    overwrite(path, start + size // 3, bytes(size // 3))
    assert 1 <= len(list(spread_frames(path, 10))) <= 10
    assert probe_video(path).num_frames == 30


def test_frames_behind_damage_keep_their_numbers(tmp_path: Path):
    """A mask or an original is looked up by them."""
    noise = np.random.default_rng(0).integers(-8, 9, (40, HEIGHT, WIDTH, 3))
    images = [(image + grain).astype(np.uint8) for image, grain in zip(numbered_frames(40), noise, strict=True)]
    path = written_video(tmp_path / "a.mp4", images, gop=5)
    size = path.stat().st_size
    overwrite(path, size // 3, np.random.default_rng(1).bytes(size // 6))
    frames = list(frames_at(path, range(40)))
    assert 10 < len(frames) < 40
    assert [number_of(frame.image) for frame in frames[-8:]] == [frame.index for frame in frames[-8:]]
    assert [frame.time_s for frame in frames] == pytest.approx([frame.index / 25 for frame in frames], abs=0.001)


def test_a_missing_video_is_named(tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"video .*gone\.mp4 does not exist"):
        next(spread_frames(tmp_path / "gone.mp4", 1))


def test_zero_bytes_are_refused(tmp_path: Path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(MediaError, match=r"a\.mp4 is empty") as caught:
        probe_video(tmp_path / "a.mp4")
    assert caught.value.reason == "empty file"


@pytest.mark.parametrize(
    "content",
    [
        b"hello, I am a text\n" * 100,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1/a.ts\n#EXT-X-ENDLIST\n",  # opens addresses
        b"ffconcat version 1.0\nfile a.mp4\n",
    ],
)
def test_what_is_not_a_video_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(MediaError, match=r"a\.mp4 is not a video that can be read, or is damaged \(Inv.+MP4") as caught:
        probe_video(tmp_path / "a.mp4")
    assert caught.value.reason == "not a video"


@pytest.mark.parametrize("has_index_first", [False, True])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_mp4_is_refused(tmp_path: Path, kept: float, has_index_first: bool):
    path = written_video(tmp_path / "a.mp4", numbered_frames(20), has_index_first=has_index_first)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(MediaError, match=r"a\.mp4 is cut off: its end is missing; copy or download it") as caught:
        next(spread_frames(path, 4))
    assert caught.value.reason == "truncated"


def test_a_truncated_mkv_gives_what_is_left(tmp_path: Path):
    path = written_video(tmp_path / "a.mkv", numbered_frames(40))
    content = path.read_bytes()
    path.write_bytes(content[: int(0.7 * len(content))])
    num_frames = probe_video(path).num_frames
    assert 10 < num_frames < 40
    assert [number_of(frame.image) for frame in spread_frames(path, 2)] == spread_indices(num_frames, 2)


def test_sound_alone_is_refused(tmp_path: Path):
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError, match=r"a\.mov has no video stream, only sound or data; leave it out$") as caught:
        probe_video(tmp_path / "a.mov")
    assert caught.value.reason == "no video stream"


def test_the_cover_of_a_piece_of_music_is_not_a_video(tmp_path: Path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        sound_stream = container.add_stream("aac", rate=8000, layout="mono")
        cover_stream = container.add_stream("mjpeg", rate=1)
        cover_stream.height, cover_stream.width, cover_stream.pix_fmt = HEIGHT, WIDTH, "yuvj420p"
        cover_stream.disposition = Disposition.attached_pic
        container.mux(cover_stream.encode(VideoFrame.from_ndarray(numbered_frames(1)[0], format="rgb24")))
        container.mux(cover_stream.encode(None))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(sound_stream.encode(sound))
        container.mux(sound_stream.encode(None))
    with pytest.raises(MediaError, match="has no video stream"):
        probe_video(tmp_path / "a.mp4")


def test_a_video_without_packets_has_no_frames(tmp_path: Path):
    path = written_video(tmp_path / "a.avi", numbered_frames(5))
    path.write_bytes(path.read_bytes().replace(b"00dc", b"JUNK"))  # the name of every chunk with a frame
    with pytest.raises(MediaError, match=r"a\.avi has no frames that can be decoded; copy or download") as caught:
        next(spread_frames(path, 2))
    assert caught.value.reason == "no frames"


@pytest.mark.parametrize("read", [probe_video, lambda path: list(spread_frames(path, 3))])
def test_a_video_of_which_nothing_decodes_has_no_frames(tmp_path: Path, read):
    path = written_video(tmp_path / "a.mp4", numbered_frames(10))
    start, size = frame_data(path)
    overwrite(path, start, bytes(size))
    with pytest.raises(MediaError, match="has no frames that can be decoded") as caught:
        read(path)
    assert caught.value.reason == "no frames"


def test_a_codec_that_nobody_knows_is_refused(tmp_path: Path):
    path = written_video(tmp_path / "a.mkv", numbered_frames(2))
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_OTHER/ISO/AVC"))
    with pytest.raises(
        MediaError, match=r"a\.mkv has a video stream of a kind that FFmpeg cannot decode; con"
    ) as caught:
        probe_video(path)
    assert caught.value.reason == "unsupported"


def test_enormous_frames_are_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = written_video(tmp_path / "a.mp4", numbered_frames(1))
    monkeypatch.setattr(containers, "MAX_PIXELS", 3000)
    with pytest.raises(MediaError, match=r"is too large: 64 x 48 pixels, and the limit is 3,000; make it sm") as caught:
        probe_video(path)
    assert caught.value.reason == "too large"


def test_damage_that_ffmpeg_calls_not_permitted_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **options: object) -> None:
        raise av.error.PermissionError(1, "Operation not permitted")  # as for a damaged WMV

    path = written_video(tmp_path / "a.mp4", numbered_frames(1))
    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(
        MediaError, match=r"a\.mp4 is not a video that can be read, or is damaged \(Operation not"
    ) as caught:
        probe_video(path)
    assert caught.value.reason == "not a video"


def test_an_orientation_stated_with_key_frames_holds_for_the_others(tmp_path: Path):
    upright = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    upright[: HEIGHT // 2, : WIDTH // 2] = 220
    with av.open(str(tmp_path / "plain.h264"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.options = WIDTH, HEIGHT, "yuv420p", {"crf": "5"}
        for _ in range(6):
            image = np.rot90(upright).copy()
            container.mux(stream.encode(VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    with av.open(str(tmp_path / "plain.h264")) as source, av.open(str(tmp_path / "a.h264"), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        turn = BitStreamFilterContext("h264_metadata=display_orientation=insert:rotate=270", source.streams.video[0])
        for packet in source.demux(video=0):
            for filtered in turn.filter(packet if packet.size else None):
                filtered.stream = stream
                filtered.pts = filtered.dts = None
                container.mux(filtered)
    frames = list(frames_at(tmp_path / "a.h264", range(6)))
    assert len(frames) == 6
    for frame in frames:
        assert frame.image.shape == upright.shape
        assert np.abs(frame.image.astype(int) - upright).mean() < 3


def test_a_video_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **options: object) -> None:
        raise av.error.PermissionError(13, "Permission denied")

    path = written_video(tmp_path / "a.mp4", numbered_frames(1))
    monkeypatch.setattr(av, "open", refuse)  # root, as which containers run, may read everything
    with pytest.raises(MediaError, match=r"a\.mp4 may not be read; change its permissions$") as caught:
        probe_video(path)
    assert caught.value.reason == "unreadable"


def test_damage_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    path = written_video(tmp_path / "a.mp4", numbered_frames(10))
    capfd.readouterr()  # what the encoder says
    start, size = frame_data(path)
    overwrite(path, start + size // 2, bytes(size // 4))
    list(spread_frames(path, 10))
    assert capfd.readouterr() == ("", "")
