import io
import struct
import wave
import zipfile
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image

from realface.media.file_types import HEAD_BYTES, media_kind

VIDEOS = {
    "mp4": ("mp4", "mpeg4"),
    "fragmented mp4": ("ismv", "mpeg4"),
    "mov": ("mov", "mpeg4"),
    "3gp": ("3gp", "mpeg4"),
    "f4v": ("f4v", "h264"),
    "mkv": ("matroska", "mpeg4"),
    "webm": ("webm", "vp8"),
    "avi": ("avi", "mpeg4"),
    "ts": ("mpegts", "mpeg2video"),
    "vob": ("vob", "mpeg2video"),
    "mpg": ("mpeg", "mpeg1video"),
    "m2v": ("mpeg2video", "mpeg2video"),
    "m4v stream": ("m4v", "mpeg4"),
    "h264 stream": ("h264", "h264"),
    "hevc stream": ("hevc", "hevc"),
    "flv": ("flv", "flv"),
    "wmv": ("asf", "wmv2"),
    "mxf": ("mxf", "mpeg2video"),
    "ivf": ("ivf", "vp8"),
    "y4m": ("yuv4mpegpipe", "rawvideo"),
    "dv": ("dv", "dvvideo"),
    "rm": ("rm", "rv10"),
    "nut": ("nut", "mpeg4"),
    "wtv": ("wtv", "mpeg2video"),
}


def video_bytes(
    container_format: str, codec: str, *, num_frames: int = 3, options: dict[str, str] | None = None
) -> bytes:
    """A short video, as FFmpeg writes it; DV and RealVideo allow only the sizes used here."""
    stored = io.BytesIO()
    with av.open(stored, "w", format=container_format, options=options or {}) as container:
        stream = container.add_stream(
            codec, rate=25, options={"x265-params": "log-level=none"} if codec == "hevc" else {}
        )
        stream.width, stream.height = {"dvvideo": (720, 576), "rv10": (176, 144)}.get(codec, (64, 64))
        stream.pix_fmt = "yuv420p"
        for number in range(num_frames):
            image = np.full((stream.height, stream.width, 3), 10 * number, np.uint8)
            container.mux(stream.encode(VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return stored.getvalue()


def sound_bytes(container_format: str, codec: str) -> bytes:
    stored = io.BytesIO()
    with av.open(stored, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=48000, bit_rate=96000)
        tone = np.zeros((1, 9600), np.int16)
        frame = AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return stored.getvalue()


def kind_of(folder: Path, content: bytes) -> str | None:
    path = folder / "file"
    path.write_bytes(content)
    return media_kind(path)


@pytest.mark.parametrize("name", VIDEOS)
def test_a_video_is_known_by_its_content(tmp_path: Path, name: str):
    assert kind_of(tmp_path, video_bytes(*VIDEOS[name])) == "video"


IMAGES = ["JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "HEIF"]


@pytest.mark.parametrize("image_format", IMAGES)
def test_an_image_is_known_by_its_content(tmp_path: Path, image_format: str):
    pillow_heif.register_heif_opener()
    stored = io.BytesIO()
    Image.new("RGB", (64, 48), "orange").save(stored, image_format)
    assert kind_of(tmp_path, stored.getvalue()) == "image"


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_an_image_with_several_frames_is_an_image(tmp_path: Path, image_format: str):
    stored = io.BytesIO()
    first, second = Image.new("RGB", (64, 48), "orange"), Image.new("RGB", (64, 48), "blue")
    first.save(stored, image_format, save_all=True, append_images=[second])
    assert kind_of(tmp_path, stored.getvalue()) == "image"


def test_a_tiff_with_64_bit_offsets_is_an_image(tmp_path: Path):
    stored = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stored, "TIFF", big_tiff=True)
    assert stored.getvalue()[2] == 43  # BigTIFF's version
    assert kind_of(tmp_path, stored.getvalue()) == "image"


def test_a_bare_jpeg_2000_codestream_is_an_image(tmp_path: Path):
    stored = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stored, "JPEG2000", no_jp2=True)
    assert kind_of(tmp_path, stored.getvalue()) == "image"


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return struct.pack(">I4s4sI", 16 + len(brands), b"ftyp", major, 0) + brands + b"\x00\x00\x00\x08mdat"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (ftyp(b"heic", b"mif1", b"heic"), "image"),
        (ftyp(b"mif1", b"mif1", b"heic"), "image"),
        (ftyp(b"mif1", b"avif", b"miaf"), "image"),
        (ftyp(b"avis", b"avif", b"msf1", b"iso8"), "image"),
        (ftyp(b"msf1", b"avis", b"avif"), "image"),
        (ftyp(b"hevc", b"msf1", b"iso8"), "video"),  # HEIC sequence, which FFmpeg reads
        (ftyp(b"isom", b"mp41"), "video"),
        (ftyp(b"qt  "), "video"),
        (ftyp(b"3gp5", b"isom"), "video"),
        (ftyp(b"mp42", b"mif1"), "video"),
        (ftyp(b"M4A ", b"isom"), None),
        (ftyp(b"M4B ", b"isom"), None),
        (ftyp(b"crx ", b"isom"), None),  # Canon's raw image
    ],
)
def test_the_brand_of_an_iso_file_decides(tmp_path: Path, head: bytes, kind: str | None):
    assert kind_of(tmp_path, head) == kind


@pytest.mark.parametrize("kind", [b"moov", b"wide", b"free", b"skip", b"pnot"])
def test_an_old_mov_file_without_a_type_box_is_a_video(tmp_path: Path, kind: bytes):
    assert kind_of(tmp_path, struct.pack(">I4s", 8, kind) + bytes(64)) == "video"


def test_an_old_mov_file_that_starts_with_its_frames_is_a_video(tmp_path: Path):
    assert kind_of(tmp_path, struct.pack(">I4s", 0x7000_0000, b"mdat") + bytes(64)) == "video"


@pytest.mark.parametrize(("before", "behind"), [(4, 0), (0, 16)])
def test_a_transport_stream_with_longer_packets_is_a_video(tmp_path: Path, before: int, behind: int):
    packets = [b"\x00" * before + b"\x47" + bytes([number] * 187) + b"\xff" * behind for number in range(1, 9)]
    assert kind_of(tmp_path, b"".join(packets)) == "video"


def test_a_transport_stream_may_start_within_a_packet(tmp_path: Path):
    stream = video_bytes("mpegts", "mpeg2video", num_frames=25)
    assert kind_of(tmp_path, stream[100:]) == "video"


def test_theora_in_ogg_is_a_video(tmp_path: Path):
    page = b"OggS\x00\x02" + bytes(20) + b"\x01\x2a"
    assert kind_of(tmp_path, page + b"\x80theora\x03\x02\x01" + bytes(33)) == "video"


@pytest.mark.parametrize(
    ("container_format", "codec"),
    [("mp3", "mp3"), ("wav", "pcm_s16le"), ("ipod", "aac"), ("ogg", "libopus"), ("asf", "wmav2"), ("adts", "aac")],
)
def test_sound_is_not_a_video(tmp_path: Path, container_format: str, codec: str):
    assert kind_of(tmp_path, sound_bytes(container_format, codec)) is None


@pytest.mark.parametrize(
    "text",
    [
        "import { x } from './x';\nexport const y: number = 1;\n" * 60,
        "G" * 4096,
        '{"a": [1, 2, 3]}',
        "BMW and others\n" * 20,
        "P4 is a console, and P5 is not\n" * 9,
        "P1 test plan\n" * 9,
        "%PDF-1.7\n1 0 obj\n",
        "0123mdat and more text\n",
        "our free lunch\n",
        "größe,名前\n1,2\n",
        "RIFF raff",
        "",
    ],
)
def test_text_is_neither(tmp_path: Path, text: str):
    assert kind_of(tmp_path, text.encode()) is None


def test_other_binary_files_are_neither(tmp_path: Path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a.txt", "x" * 5000)
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(9000))
    arrays = io.BytesIO()
    np.savez(arrays, a=np.zeros(1000), b=np.arange(1000))
    random = np.random.default_rng(0).integers(0, 256, 2 * HEAD_BYTES, dtype=np.uint8).tobytes()
    for content in (archive, sound, arrays):
        assert kind_of(tmp_path, content.getvalue()) is None
    for content in (random, bytes(5000), "utf-16 text, with zeros".encode("utf-16") * 99, b"\x7fELF" + random):
        assert kind_of(tmp_path, content) is None


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        media_kind(tmp_path / "gone")
