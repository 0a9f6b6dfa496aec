import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from realface.core.errors import MediaError
from realface.media import animations
from realface.media.animations import decoded_frame
from realface.media.opening import open_media
from realface.media.pillow_files import open_image

COLOURS = ((0, 0, 0), (200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 40), (40, 220, 220))
FORMATS = {".gif": {}, ".png": {}, ".webp": {"lossless": True}, ".avif": {"quality": 95}, ".tif": {}}


def animation(path: Path, colours: tuple[tuple[int, int, int], ...] = COLOURS, **options: object) -> Path:
    first, *others = (Image.new("RGB", (48, 32), colour) for colour in colours)
    defaults = {"duration": 80, **FORMATS[path.suffix]}
    first.save(path, save_all=True, append_images=others, **{**defaults, **options})
    return path


def colours_of(path: Path, count: int = 32) -> list[tuple[int, ...]]:
    return [tuple(frame.image[16, 24].tolist()) for frame in open_media(path).frames(count)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_image_with_several_frames_is_read_like_a_video(tmp_path: Path, suffix: str):
    reader = open_media(animation(tmp_path / f"a{suffix}"))
    assert reader.kind == "video"
    frames = list(reader.frames(32))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5]
    for frame, colour in zip(frames, COLOURS, strict=True):
        assert frame.image.shape == (32, 48, 3)
        assert frame.image.flags["C_CONTIGUOUS"]
        assert np.abs(frame.image.reshape(-1, 3).mean(axis=0) - colour).max() < 6
    assert reader.num_damaged == 0


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".avif"])
def test_size_length_and_rate_of_an_animation(tmp_path: Path, suffix: str):
    info = open_media(animation(tmp_path / f"a{suffix}")).info()
    assert (info.width, info.height, info.num_frames) == (48, 32, 6)
    assert info.duration_s == pytest.approx(0.48)
    assert info.fps == pytest.approx(12.5)
    assert info.codec == {".gif": "GIF", ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF"}[suffix]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_single_frame_is_a_still_image(tmp_path: Path, suffix: str):
    reader = open_media(animation(tmp_path / f"a{suffix}", COLOURS[1:2]))
    assert (reader.kind, reader.info().num_frames, reader.info().duration_s) == ("image", 1, 0.0)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_frames_are_spread_over_time_by_their_durations(tmp_path: Path, suffix: str):
    durations = [100, 3000, 100, 3000, 100, 100]
    reader = open_media(animation(tmp_path / f"a{suffix}", duration=durations))
    assert reader.spread(2) == [1, 3]
    times = [frame.time_s for frame in reader.frames(6)]
    assert times == pytest.approx([0, 0.1, 3.1, 3.2, 6.2, 6.3])


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_frames_without_a_duration_take_a_tenth_of_a_second(tmp_path: Path, suffix: str):
    reader = open_media(animation(tmp_path / f"a{suffix}", duration=[0, 10, 20, 0, 10, 500]))
    times = [frame.time_s for frame in reader.frames(6)]
    assert times == pytest.approx([0, 0.1, 0.2, 0.22, 0.32, 0.42])


def test_parts_of_an_animation_can_be_used(tmp_path: Path):
    reader = open_media(animation(tmp_path / "a.gif"))
    assert reader.spread(2, spans=[(1, 2)]) == [1, 2]
    assert reader.spread(3, num_frames=2) == [0, 1]
    assert [frame.index for frame in reader.frames_at([4, 99, 2])] == [2, 4]
    with pytest.raises(MediaError, match=r"has no frames in the part 9 to 12: it has 6, counted from 0; correct the"):
        reader.spread(2, spans=[(9, 12)])


def test_frames_can_be_read_several_times(tmp_path: Path):
    reader = open_media(animation(tmp_path / "a.webp"))
    first, second = ([frame.image for frame in reader.frames(4)] for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_an_absent_frame_is_an_error(tmp_path: Path):
    reader = open_media(animation(tmp_path / "a.gif"))
    with pytest.raises(MediaError, match=r"a\.gif does not have the requested frames$") as caught:
        list(reader.frames_at([77]))
    assert caught.value.reason == "no frames"


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparency_is_laid_over_white_in_every_frame(tmp_path: Path, suffix: str):
    first = Image.new("RGBA", (48, 32), (255, 0, 0, 0))
    second = Image.new("RGBA", (48, 32), (0, 0, 0, 51))  # a fifth
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {"blend": 0}
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second], duration=80, **options)
    assert colours_of(tmp_path / f"a{suffix}") == [(255, 255, 255), (204, 204, 204)]


def test_frames_that_change_a_part_of_the_image_are_complete(tmp_path: Path):
    first = Image.new("RGB", (48, 32), COLOURS[1])
    second = first.copy()
    second.paste(COLOURS[2], (0, 0, 4, 4))  # what a GIF stores of the second frame
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second], duration=80)
    _, frame = open_media(tmp_path / "a.gif").frames(2)
    assert tuple(frame.image[2, 2].tolist()) == COLOURS[2]
    assert tuple(frame.image[20, 20].tolist()) == COLOURS[1]


@pytest.mark.parametrize("suffix", [".webp", ".png", ".tif"])
def test_exif_orientation_is_applied_to_every_frame(tmp_path: Path, suffix: str):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    path = animation(tmp_path / f"a{suffix}", exif=exif)
    reader = open_media(path)
    assert (reader.info().width, reader.info().height) == (32, 48)
    assert {frame.image.shape for frame in reader.frames(6)} == {(48, 32, 3)}


def test_pages_of_different_sizes_keep_their_sizes(tmp_path: Path):
    pages = [Image.new("RGB", (40 + 8 * number, 30), colour) for number, colour in enumerate(COLOURS)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    reader = open_media(tmp_path / "a.tif")
    assert [frame.image.shape[1] for frame in reader.frames(6)] == [40, 48, 56, 64, 72, 80]
    assert (reader.info().width, reader.info().num_frames, reader.info().fps) == (40, 6, 1.0)


@pytest.mark.parametrize("subfile_type", [1, 4])
def test_thumbnails_and_masks_in_a_tiff_are_not_pages(tmp_path: Path, subfile_type: int):
    small, large = Image.new("RGB", (12, 8), COLOURS[2]), Image.new("RGB", (48, 32), COLOURS[1])
    subfile_types = {id(small): {254: subfile_type}, id(large): {254: 0}}
    for name, (first, second) in {"behind": (large, small), "before": (small, large)}.items():
        path = tmp_path / f"{name}.tif"
        second.encoderinfo = {"tiffinfo": subfile_types[id(second)]}
        first.save(path, save_all=True, append_images=[second], tiffinfo=subfile_types[id(first)])
        assert open_media(path).kind == "image"
        assert colours_of(path) == [COLOURS[1]]


def test_a_photo_with_a_second_image_behind_it_is_one_image(tmp_path: Path):
    photo, gain_map = Image.new("RGB", (48, 32), COLOURS[1]), Image.new("RGB", (12, 8))
    photo.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[gain_map])
    assert open_media(tmp_path / "a.jpg").kind == "image"


def test_the_image_for_viewers_without_animation_is_left_out(tmp_path: Path):
    title, first, second = (Image.new("RGB", (48, 32), colour) for colour in COLOURS[:3])
    title.save(tmp_path / "a.png", save_all=True, append_images=[first, second], default_image=True, duration=80)
    assert colours_of(tmp_path / "a.png") == list(COLOURS[1:3])


def test_a_heic_file_with_several_images_is_read_like_a_video(tmp_path: Path):
    pillow_heif.register_heif_opener()
    first, second = (Image.new("RGB", (64, 48), colour) for colour in COLOURS[1:3])
    first.save(tmp_path / "a.heic", save_all=True, append_images=[second], quality=95)
    reader = open_media(tmp_path / "a.heic")
    assert reader.kind == "video"
    for colour, expected in zip(colours_of(tmp_path / "a.heic"), COLOURS[1:3], strict=True):
        assert np.abs(np.subtract(colour, expected)).max() < 12


def noise_frames(num_frames: int = 6) -> list[Image.Image]:
    generator = np.random.default_rng(0)
    return [Image.fromarray(generator.integers(0, 256, (32, 48, 3), dtype=np.uint8)) for _ in range(num_frames)]


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_the_frames_before_damage_are_used_and_damage_is_counted(tmp_path: Path, suffix: str):
    frames = noise_frames()
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], duration=80)
    whole = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(whole[: len(whole) * 3 // 4])
    reader = open_media(tmp_path / f"a{suffix}")
    assert 4 <= reader.info().num_frames <= 5
    good = [frame.index for frame in reader.frames(32)]
    assert good == list(range(reader.info().num_frames - 1))
    assert reader.num_damaged == 1
    assert len(list(reader.frames(2))) == 1  # the damaged frame is among those asked for, so it is reported
    assert reader.num_damaged == 1


def test_a_damaged_page_does_not_hide_the_others(tmp_path: Path):
    frames = noise_frames()
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:], compression="tiff_adobe_deflate")
    with Image.open(tmp_path / "a.tif") as image:
        offsets = []
        for page in range(6):
            image.seek(page)
            offsets.append(image.tag_v2[273][0])
    content = bytearray((tmp_path / "a.tif").read_bytes())
    for page in (0, 3):
        content[offsets[page] : offsets[page] + 40] = bytes(40)
    (tmp_path / "a.tif").write_bytes(bytes(content))
    reader = open_media(tmp_path / "a.tif")
    assert [frame.index for frame in reader.frames(6)] == [1, 2, 4, 5]
    assert reader.num_damaged == 2
    assert (reader.info().width, reader.info().height) == (48, 32)


@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate"])
@pytest.mark.parametrize("kept", [0.4, 0.7])
def test_pages_that_a_tiff_has_lost_are_reported(tmp_path: Path, compression: str | None, kept: float):
    frames = noise_frames()
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:], compression=compression)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(len(whole) * kept)])
    reader = open_media(tmp_path / "a.tif")
    good = [frame.index for frame in reader.frames(32)]
    assert good == list(range(int(6 * kept)))
    assert 1 <= reader.num_damaged <= 2
    assert len(list(reader.frames(2))) == 1  # the damaged page is among those asked for, so it is reported
    assert reader.num_damaged == 1


def test_a_tiff_without_a_page_that_can_be_decoded_is_an_error(tmp_path: Path):
    frames = noise_frames(2)
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:], compression="tiff_adobe_deflate")
    content = (tmp_path / "a.tif").read_bytes().replace(b"\x78\x9c", b"\x00\x00")
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(MediaError, match=r"a\.tif is cut off or damaged \(.+\); copy or download it again$"):
        open_media(tmp_path / "a.tif")


def test_too_many_frames_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(animations, "_MAX_FRAMES", 5)
    text = r"a\.gif is too large: 6 frames of 48 x 32 pixels, and the limit is 5 frames; convert it to MP4, or make"
    with pytest.raises(MediaError, match=text) as caught:
        open_media(animation(tmp_path / "a.gif"))
    assert caught.value.reason == "too large"


def test_too_many_pixels_in_all_are_refused_from_the_header(tmp_path: Path):
    path = animation(tmp_path / "a.webp")
    content = path.read_bytes()
    at = content.index(b"VP8X") + 12  # 24 bits of width - 1, 24 bits of height - 1
    wide = struct.pack("<I", 12_000)[:3]
    frames = content[content.index(b"ANMF") :] * 60
    body = content[8:at] + wide + wide + content[at + 6 : content.index(b"ANMF")] + frames
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    with pytest.raises(MediaError, match=r"a\.webp is too large: 360 frames of 12001 x 12001 pixels"):
        open_media(path)


def test_a_page_with_too_many_pixels_is_counted_as_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pages = [Image.new("RGB", (side, 10)) for side in (10, 30, 10)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    monkeypatch.setattr(animations, "MAX_PIXELS", 200)
    reader = open_media(tmp_path / "a.tif")
    assert [frame.index for frame in reader.frames(3)] == [0, 2]
    assert reader.num_damaged == 1


@pytest.mark.parametrize(
    ("method", "error", "text", "reason"),
    [
        (
            "seek",
            EOFError("no more images"),
            r"is cut off or damaged at frame 0 \(no more images\); copy or",
            "truncated",
        ),
        (
            "seek",
            Image.DecompressionBombError("many pixels"),
            r"is too large: many pixels; make it smaller$",
            "too large",
        ),
        (
            "load",
            Image.DecompressionBombError("many pixels"),
            r"is too large: more pixels than Pillow dec",
            "too large",
        ),
        ("load", MemoryError(), r"is cut off or damaged \(\); copy or download it again$", "truncated"),
    ],
)
def test_what_pillow_raises_becomes_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, text: str, reason: str
):
    def fail(*arguments: object) -> None:
        raise error

    animation(tmp_path / "a.tif")
    with open_image(tmp_path / "a.tif") as image:
        monkeypatch.setattr(image, method, fail)
        with pytest.raises(MediaError, match=text) as caught:
            decoded_frame(image, 0, tmp_path / "a.tif")
    assert caught.value.reason == reason
