"""One small file of each kind that used to be misread, written by PyAV and Pillow, with the right answer by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from display_matrices import MATRICES, set_matrix, turned
from frame_structures import field_pictures, woven
from generated_videos import numbered_images, over_white, with_alpha
from hdr_frames import hdr_planes
from numbered_frames import HEIGHT, WIDTH, Image, mean_colours, numbered_image, read_number
from realface.media.frames import MediaReader
from realface.media.opening import open_media
from rewritten_packets import cut_before_keyframe, packed, repacked_avi, without_repeats

X264 = {"crf": "12", "preset": "ultrafast"}
X264_B = {**X264, "bf": "2", "b_strategy": "0"}


def write(
    path: Path,
    images: Iterable[NDArray[np.uint8]],
    codec: str = "libx264",
    *,
    options: dict[str, str] = X264,
    pixels: str = "yuv420p",
    stamps: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    file_format: str | None = None,
) -> Path:
    """Write a video of 25 frames per second, or with frames at `stamps` in units of 1/25 s."""
    with av.open(str(path), "w", format=file_format) as container:
        _encode(container, list(images), codec, options=options, pixels=pixels, stamps=stamps, aspect=aspect)
    return path


def _encode(container, images, codec, *, options=X264, pixels="yuv420p", stamps=None, aspect=None):
    stream = container.add_stream(codec, rate=25, options=dict(options))
    stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], pixels
    stream.codec_context.thread_count = 1
    if codec not in {"libx264", "libx265"}:
        stream.bit_rate = 4_000_000
    if aspect is not None:
        stream.codec_context.sample_aspect_ratio = aspect
    for number, image in enumerate(images):
        frame = VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
        frame.pts, frame.time_base = stamps[number] if stamps else number, Fraction(1, 25)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def assert_shows(reader: MediaReader, numbers: Sequence[int], *, times: Sequence[float] | None = None) -> None:
    """Expect frames with these numbers, in order, with rising times, none of them damaged."""
    frames = list(reader.frames_at(range(100)))
    assert [frame.index for frame in frames] == list(range(len(numbers)))
    assert [read_number(frame.image) for frame in frames] == list(numbers)
    assert all(one.time_s < other.time_s for one, other in pairwise(frames))
    expected = [place / 25 for place in range(len(numbers))] if times is None else times
    assert [frame.time_s for frame in frames] == pytest.approx(expected, abs=0.002)
    assert reader.info().num_frames == len(numbers)
    assert reader.num_damaged == 0


def test_two_field_pictures_are_one_frame(tmp_path: Path):
    field_pictures(top_first=True)(tmp_path / "a.h264")
    with av.open(str(tmp_path / "a.h264")) as read, av.open(str(tmp_path / "a.mts"), "w", format="mpegts") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        assert len(packets) == 24
        for number, packet in enumerate(packets):
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 50), number, number
            written.mux_one(packet)
    reader = open_media(tmp_path / "a.mts")
    assert_shows(reader, range(12))
    assert [frame.index for frame in reader.frames(8)] == [0, 2, 3, 5, 6, 8, 9, 11]  # (2 k + 1) * 12 // 16
    assert reader.num_damaged == 0


@pytest.mark.parametrize("file", ["a.ts", "a.mp4", "a.mkv"])
def test_interlaced_frames_show_their_first_field(tmp_path: Path, file: str):
    images = woven(top_first=False)  # the second field has the next number
    options = {**X264_B, "flags": "+ildct+ilme", "x264-params": "bff=1"}
    assert_shows(open_media(write(tmp_path / file, images, options=options)), range(24))


def test_hidden_frames_of_vp8_are_not_counted(tmp_path: Path):
    quality = {"deadline": "realtime", "cpu-used": "8", "g": "8", "keyint_min": "8"}
    write(tmp_path / "shown.webm", numbered_images(), "libvpx", options=quality)
    with av.open(str(tmp_path / "shown.webm")) as read, av.open(str(tmp_path / "a.webm"), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        num_packets = 0
        for packet in [packet for packet in read.demux(video=0) if packet.size]:
            if packet.is_keyframe and packet.pts > 0:  # a hidden copy changes nothing that is shown
                hidden = Packet(bytes([bytes(packet)[0] & ~0x10]) + bytes(packet)[1:])  # RFC 6386, 9.1: show_frame
                hidden.stream, hidden.time_base = stream, packet.time_base
                hidden.pts = hidden.dts = packet.pts - 1
                written.mux_one(hidden)
                num_packets += 1
            packet.stream = stream
            written.mux_one(packet)
            num_packets += 1
    assert num_packets == 26
    reader = open_media(tmp_path / "a.webm")
    assert_shows(reader, range(24))
    assert [read_number(frame.image) for frame in reader.frames(4)] == [3, 9, 15, 21]


@pytest.mark.parametrize("num_b", ["1", "2"])
def test_packed_b_frames_are_counted_once(tmp_path: Path, num_b: str):
    options = {"bf": num_b, "flags": "+bitexact"}
    source = write(tmp_path / "source.avi", numbered_images(), "mpeg4", options=options)
    repacked_avi(source, tmp_path / "a.avi", packed)
    assert_shows(open_media(tmp_path / "a.avi"), range(24))


def test_frames_that_are_not_coded_prolong_the_one_before(tmp_path: Path):
    images = [numbered_image(number) for number in [0, 1, 2, 2, 2, 2, 3, 4]]
    options = {"bf": "0", "g": "100", "flags": "+bitexact"}
    source = write(tmp_path / "source.avi", images, "mpeg4", options=options)
    repacked_avi(source, tmp_path / "a.avi", lambda contents: without_repeats(contents, repeated=[3, 4, 5]))
    reader = open_media(tmp_path / "a.avi")
    assert_shows(reader, [0, 1, 2, 3, 4], times=[0, 0.04, 0.08, 0.24, 0.28])


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mkv"), ("libx265", ".mp4"), ("mpeg2video", ".ts")])
def test_frames_that_a_cut_made_undecodable_are_not_counted(tmp_path: Path, codec: str, suffix: str):
    gop = "keyint=8:min-keyint=8:bframes=2:b-adapt=0:scenecut=0"
    options = {
        "libx264": {**X264, "bf": "2", "x264-params": f"open-gop=1:{gop}"},
        "libx265": {"preset": "ultrafast", "x265-params": f"log-level=none:open-gop=1:pools=1:{gop}"},
        "mpeg2video": {"bf": "2", "g": "8", "sc_threshold": "1000000000"},
    }
    source = write(tmp_path / f"source{suffix}", numbered_images(), codec, options=options[codec])
    cut_before_keyframe(source, tmp_path / f"a{suffix}", keyframe=1)
    frames = list(open_media(tmp_path / f"a{suffix}").frames_at(range(100)))
    first = read_number(frames[0].image)
    assert 6 <= first <= 9  # that of the second key frame, whose place the encoder chooses
    assert_shows(open_media(tmp_path / f"a{suffix}"), range(first, 24))


@pytest.mark.parametrize(("codec", "file"), [("libx264", "a.avi"), ("mpeg4", "a.avi"), ("libx264", "a.h264")])
def test_frames_without_presentation_times_leave_in_order(tmp_path: Path, codec: str, file: str):
    options = X264_B if codec == "libx264" else {"bf": "2"}
    assert_shows(open_media(write(tmp_path / file, numbered_images(), codec, options=options)), range(24))


@pytest.mark.parametrize("name", MATRICES)
def test_all_eight_orientations_are_upright(tmp_path: Path, name: str):
    images = [turned(MATRICES[name], image) for image in numbered_images(4)]
    path = write(tmp_path / "a.mp4", images)
    set_matrix(path, MATRICES[name])
    reader = open_media(path)
    assert_shows(reader, range(4))
    assert (reader.info().height, reader.info().width) == (HEIGHT, WIDTH)
    for frame in reader.frames(4):
        assert np.abs(mean_colours(frame.image) - mean_colours(numbered_image(frame.index))).max() < 6


def test_the_default_stream_is_shown_and_not_a_cover_before_it(tmp_path: Path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        cover = container.add_stream("mjpeg", rate=25)
        cover.height, cover.width, cover.pix_fmt, cover.disposition = 96, 96, "yuvj420p", Disposition(0)
        video = container.add_stream("libx264", rate=25, options=dict(X264))
        video.height, video.width, video.pix_fmt, video.disposition = HEIGHT, WIDTH, "yuv420p", Disposition.default
        container.mux(cover.encode(VideoFrame.from_ndarray(np.full((96, 96, 3), 90, np.uint8), format="rgb24")))
        container.mux(cover.encode(None))
        for image in numbered_images():
            container.mux(video.encode(VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
    assert_shows(open_media(tmp_path / "a.mkv"), range(24))


def test_each_frame_keeps_its_size_after_a_change(tmp_path: Path):
    parts = []
    for height, width in [(48, 64), (96, 128)]:
        images = numbered_images(12, height=height, width=width)
        parts.append(write(tmp_path / f"{height}.h264", images, options={**X264, "bf": "0"}).read_bytes())
    (tmp_path / "joined.h264").write_bytes(b"".join(parts))
    with av.open(str(tmp_path / "joined.h264")) as read, av.open(str(tmp_path / "a.mkv"), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, packet in enumerate(packet for packet in read.demux(video=0) if packet.size):
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 25), number, number
            written.mux_one(packet)
    reader = open_media(tmp_path / "a.mkv")
    assert_shows(reader, [*range(12), *range(12)])
    sizes = [frame.image.shape[:2] for frame in reader.frames(24)]
    assert sizes == [(48, 64)] * 12 + [(96, 128)] * 12


@pytest.mark.parametrize(("transfer", "number"), [("pq", 16), ("hlg", 18)])  # ITU-T H.273, table 3
def test_hdr_looks_like_its_sdr_original(tmp_path: Path, transfer: str, number: int):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": "log-level=none:crf=8:pools=1"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, number, 9, 1
        for place, image in enumerate(numbered_images(4)):
            frame = VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
            _fill(frame, hdr_planes(image, transfer=transfer))
            frame.pts, frame.time_base = place, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    reader = open_media(tmp_path / "a.mp4")
    assert_shows(reader, range(4))
    assert reader.info().hdr == transfer
    for frame in reader.frames(4):
        assert frame.hdr == transfer
        off = np.abs(mean_colours(frame.image) - mean_colours(numbered_image(frame.index)))
        assert off[0].max() <= 6
        assert off.max() <= 12


def _fill(frame: VideoFrame, planes: NDArray[np.uint16]) -> None:
    at = 0
    for plane in frame.planes:
        size = plane.height * plane.width
        rows = planes[at : at + size].reshape(plane.height, plane.width)
        padded = np.zeros((plane.height, plane.line_size // 2), "<u2")
        padded[:, : plane.width] = rows
        plane.update(padded.tobytes())
        at += size


@pytest.mark.parametrize(
    ("file", "stored", "aspect", "shown"),
    [
        ("a.mpg", (72, 90), Fraction(64, 45), (72, 128)),  # DVD, 16:9
        ("a.mp4", (96, 96), Fraction(4, 3), (96, 128)),  # HDV
        ("a.mkv", (96, 144), Fraction(8, 9), (96, 128)),  # NTSC, 4:3
    ],
)
def test_pixels_that_are_not_square_are_stretched(tmp_path: Path, file: str, stored, aspect: Fraction, shown):
    images = numbered_images(6, height=stored[0], width=stored[1])
    codec = "mpeg2video" if file == "a.mpg" else "libx264"
    options = {} if codec == "mpeg2video" else X264
    reader = open_media(write(tmp_path / file, images, codec, options=options, aspect=aspect))
    assert (reader.info().height, reader.info().width) == shown
    frames = list(reader.frames(6))
    assert [frame.image.shape[:2] for frame in frames] == [shown] * 6
    assert [read_number(frame.image) for frame in frames] == list(range(6))


@pytest.mark.parametrize(
    ("file", "codec", "pixels"),
    [
        ("a.mov", "qtrle", "argb"),
        ("a.mov", "png", "rgba"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
    ],
)
def test_transparent_video_is_shown_over_white(tmp_path: Path, file: str, codec: str, pixels: str):
    images = [with_alpha(image) for image in numbered_images(4)]
    options = {"auto-alt-ref": "0", "deadline": "realtime", "cpu-used": "8"} if codec.startswith("libvpx") else {}
    reader = open_media(write(tmp_path / file, images, codec, options=options, pixels=pixels))
    assert_shows(reader, range(4))
    for frame in reader.frames(4):
        assert np.abs(mean_colours(frame.image) - mean_colours(over_white(images[frame.index]))).max() < 6


def test_times_of_a_varying_rate_decide_which_frames_are_read(tmp_path: Path):
    stamps = [*range(0, 500, 25), *range(500, 530)]  # one frame per second for 20 s, then 25 per second
    reader = open_media(write(tmp_path / "a.mp4", numbered_images(50), stamps=stamps))
    assert_shows(reader, range(50), times=[stamp / 25 for stamp in stamps])
    # 21.2 s: the frames shown at 2.65, 7.95, 13.25 and 18.55 s
    assert [frame.index for frame in reader.frames(4)] == [2, 7, 13, 18]


@pytest.mark.parametrize("name", ["a", "a.bin", "a.qt", "a.jpg", "a.divx", "ä: b.dat"])
def test_the_suffix_does_not_decide_what_a_file_is(tmp_path: Path, name: str):
    reader = open_media(write(tmp_path / name, numbered_images(6), file_format="mp4"))
    assert reader.kind == "video"
    assert_shows(reader, range(6))


def test_an_image_named_like_a_video_is_read(tmp_path: Path):
    PillowImage.fromarray(numbered_image(5)).save(tmp_path / "a.mp4", format="PNG")
    reader = open_media(tmp_path / "a.mp4")
    assert reader.kind == "image"
    assert [read_number(frame.image) for frame in reader.frames(8)] == [5]


@pytest.mark.parametrize("file_format", ["WEBP", "GIF", "PNG", "TIFF"])
def test_an_animated_image_is_sampled_like_a_video(tmp_path: Path, file_format: str):
    frames = [PillowImage.fromarray(image) for image in numbered_images(7)]
    settings = {} if file_format == "TIFF" else {"duration": 100}
    frames[0].save(tmp_path / "a", format=file_format, save_all=True, append_images=frames[1:], **settings)
    reader = open_media(tmp_path / "a")
    assert reader.kind == "video"
    assert reader.info().num_frames == 7
    assert [read_number(frame.image) for frame in reader.frames(3)] == [1, 3, 5]
    assert [read_number(frame.image) for frame in reader.frames(8)] == list(range(7))


def test_a_png_with_a_long_text_is_read(tmp_path: Path):
    info = PngInfo()
    info.add_text("prompt", "a portrait " * 140_000, zip=True)  # 1.5 MB in one zTXt chunk
    image: Image = numbered_image(9)
    PillowImage.fromarray(image).save(tmp_path / "a.png", pnginfo=info)
    assert b"zTXt" in (tmp_path / "a.png").read_bytes()
    frames = list(open_media(tmp_path / "a.png").frames(1))
    assert [read_number(frame.image) for frame in frames] == [9]
