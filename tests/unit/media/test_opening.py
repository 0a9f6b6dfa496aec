import io
import sys
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from realface.core.errors import MediaError, MissingInputError
from realface.media.images import read_image
from realface.media.opening import open_media
from realface.media.video_writing import write_video


def gradient() -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([rows * 5, columns * 4, rows + columns], axis=2).astype(np.uint8)


def test_an_image_is_a_sequence_of_one_frame(tmp_path: Path):
    Image.fromarray(gradient()).save(tmp_path / "a.png")
    reader = open_media(tmp_path / "a.png")
    (frame,) = reader.frames(8)
    assert (reader.kind, frame.index, frame.time_s) == ("image", 0, 0.0)
    np.testing.assert_array_equal(frame.image, gradient())
    assert (reader.info().width, reader.info().height, reader.info().num_frames) == (64, 48, 1)


@pytest.mark.parametrize("name", ["a", "a.png", "a.txt", "a.ts"])
def test_a_video_may_have_any_name(tmp_path: Path, name: str):
    write_video(tmp_path / "a.mp4", [gradient()] * 3)
    (tmp_path / "a.mp4").rename(tmp_path / name)
    reader = open_media(tmp_path / name)
    assert (reader.kind, reader.info().num_frames) == ("video", 3)


@pytest.mark.parametrize("name", ["a", "a.mp4", "a.txt"])
def test_an_image_may_have_any_name(tmp_path: Path, name: str):
    Image.fromarray(gradient()).save(tmp_path / name, "PNG")
    assert open_media(tmp_path / name).kind == "image"


@pytest.mark.parametrize("name", ["a.txt", "a.jpg", "a"])
def test_a_file_that_is_neither_is_refused(tmp_path: Path, name: str):
    (tmp_path / name).write_text("hello, I am a text\n" * 20)
    text = rf"{name} is not an image or video that can be read; convert it to PNG, JPEG or MP4, or leave it out$"
    with pytest.raises(MediaError, match=text) as caught:
        open_media(tmp_path / name)
    assert caught.value.reason == "not an image or video"


def test_a_damaged_video_is_called_a_video(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(bytes(5000))
    with pytest.raises(MediaError, match="is not a video that can be read, or is damaged") as caught:
        open_media(tmp_path / "a.mp4")
    assert caught.value.reason == "not a video"


def test_a_missing_or_empty_file_is_named(tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"image or video .*gone does not exist"):
        open_media(tmp_path / "gone")
    (tmp_path / "a").touch()
    with pytest.raises(MediaError, match=r"is empty \(0 bytes\)"):
        open_media(tmp_path / "a")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError(13, "Permission denied"), r"a may not be read; change its permissions$"),
        (OSError(24, "Too many open files"), r"cannot read .*a: too many open files; raise the limit with `ulimit -n"),
        (OSError(5, "Input/output error"), r"a cannot be read: Input/output error$"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, text: str
):
    def refuse(path: Path) -> None:
        raise error

    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr("realface.media.opening.read_head", refuse)  # root may read everything
    with pytest.raises(MediaError, match=text) as caught:
        open_media(tmp_path / "a")
    assert caught.value.reason == "unreadable"


def heic(path: Path, **options: object) -> Path:
    pillow_heif.register_heif_opener()
    Image.fromarray(gradient()).save(path, "HEIF", quality=95, **options)
    return path


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_a_heic_image_is_read(tmp_path: Path, name: str):
    path = heic(tmp_path / name)
    assert open_media(path).kind == "image"
    difference = np.abs(read_image(path).astype(int) - gradient())
    assert difference.mean() < 4


def test_a_heic_image_is_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    assert read_image(heic(tmp_path / "a.heic", exif=exif.tobytes())).shape == (64, 48, 3)


def test_a_heic_image_without_the_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = heic(tmp_path / "a.heic")
    monkeypatch.delitem(Image.OPEN, "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    text = r'a\.heic is a HEIC image, which needs pillow-heif; install it: pip install "realface\[heif\]"$'
    with pytest.raises(MediaError, match=text) as caught:
        open_media(path)
    assert caught.value.reason == "missing extra"


def test_pillow_learns_heic_only_when_a_heic_image_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = heic(tmp_path / "a.heic")
    Image.fromarray(gradient()).save(tmp_path / "a.png")
    monkeypatch.delitem(Image.OPEN, "HEIF")
    open_media(tmp_path / "a.png")
    assert "HEIF" not in Image.OPEN
    open_media(path)
    assert "HEIF" in Image.OPEN


def test_a_heic_sequence_is_a_video(tmp_path: Path):
    stored = io.BytesIO()
    with av.open(stored, "w", format="mp4") as container:
        stream = container.add_stream("hevc", rate=25, options={"x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(4):
            container.mux(stream.encode(VideoFrame.from_ndarray(gradient(), format="rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    brand = stored.getvalue().index(b"isom")
    (tmp_path / "a.heics").write_bytes(stored.getvalue()[:brand] + b"hevc" + stored.getvalue()[brand + 4 :])
    reader = open_media(tmp_path / "a.heics")
    assert (reader.kind, reader.info().num_frames) == ("video", 4)


def test_ffmpeg_is_asked_about_a_file_that_is_not_recognised(tmp_path: Path):
    path = tmp_path / "clip"
    with av.open(str(path), "w", format="rm") as container:  # RealMedia: rare, so its first bytes are not known here
        stream = container.add_stream("rv20", rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    assert open_media(path).info().num_frames == 3
