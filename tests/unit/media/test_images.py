import errno
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile, features

from realface.core.errors import MediaError, MissingInputError
from realface.media.images import image_size, is_image_name, read_image, resize_image, write_image

STORED_TURNS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, 1),  # stored a quarter turn to the left, to be shown turned right
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image, -1),
}  # by EXIF orientation, after the table of the EXIF standard (row 0 and column 0 as shown)


def four_colours(height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """Red, green, blue and grey quarters: no two turns or mirrorings of it are equal."""
    image = np.full((height, width, 3), 128, np.uint8)
    image[: height // 2, : width // 2] = [255, 0, 0]
    image[: height // 2, width // 2 :] = [0, 255, 0]
    image[height // 2 :, : width // 2] = [0, 0, 255]
    return image


def ramp_16_bit(height: int = 16, width: int = 24) -> NDArray[np.uint16]:
    """Values over the whole range, 0 and 65,535 among them."""
    return np.linspace(0, 65535, height * width).astype(np.uint16).reshape(height, width)


def png_bytes(width: int, height: int, *, depth: int, colour_type: int, rows: bytes) -> bytes:
    """A PNG written by hand after its specification, for what Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_16_bit(values: NDArray[np.uint16], colour_type: int) -> bytes:
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)  # filter 0 before each row
    return png_bytes(values.shape[1], values.shape[0], depth=16, colour_type=colour_type, rows=rows)


def assert_nearly(image: NDArray[np.uint8], expected: NDArray[np.uint8], *, tolerance: int) -> None:
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("name", ["a.JPG", "b.jpeg", "c.Png", "d.tif", "e.webp", "f.gif"])
def test_the_suffix_of_a_picture_is_known_in_any_case(name: str):
    assert is_image_name(Path(name))


@pytest.mark.parametrize("name", ["a.mp4", "b.txt", "png", ".png"])
def test_other_names_are_no_pictures(name: str):
    assert not is_image_name(Path(name))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".ppm"])
def test_lossless_formats_keep_every_value(tmp_path: Path, suffix: str):
    path = tmp_path / f"größe 1 顔{suffix}"
    Image.fromarray(four_colours()).save(path)
    image = read_image(path)
    np.testing.assert_array_equal(image, four_colours())
    assert image.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"]
    assert image.flags["WRITEABLE"]


def test_the_content_decides_and_not_the_suffix(tmp_path: Path):
    path = tmp_path / "a.jpg"
    Image.fromarray(four_colours()).save(path, format="PNG")
    np.testing.assert_array_equal(read_image(path), four_colours())


def test_grey_becomes_three_equal_channels(tmp_path: Path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.stack([grey] * 3, axis=2))


def test_black_and_white_becomes_0_and_255(tmp_path: Path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 255, 255], [0, 0, 0]]]


def test_transparency_is_laid_over_white(tmp_path: Path):
    pixels = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)  # 51 / 255 is a fifth
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]


def test_grey_with_transparency_is_laid_over_white(tmp_path: Path):
    Image.fromarray(np.array([[[10, 255], [10, 0]]], np.uint8)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[10, 10, 10], [255, 255, 255]]]


def test_a_palette_is_resolved(tmp_path: Path):
    Image.fromarray(four_colours()).quantize(4).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "P"
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), four_colours())


def test_a_transparent_colour_of_a_palette_becomes_white(tmp_path: Path):
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 1, 2, 3])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=1)
    assert read_image(tmp_path / "a.png").tolist() == [[[9, 8, 7], [255, 255, 255]]]


def test_cmyk_with_adobe_inversion_keeps_its_colours(tmp_path: Path):
    Image.fromarray(four_colours()).convert("CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0)
    assert b"Adobe" in (tmp_path / "a.jpg").read_bytes()  # the marker that says: values are inverted
    assert_nearly(read_image(tmp_path / "a.jpg"), four_colours(), tolerance=4)


def test_cmyk_tiff_keeps_its_colours(tmp_path: Path):
    Image.fromarray(four_colours()).convert("CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), four_colours())


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, suffix: str):
    values = ramp_16_bit()
    path = tmp_path / f"a{suffix}"
    if suffix == ".pgm":
        path.write_bytes(b"P5 24 16 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(path)
    np.testing.assert_array_equal(read_image(path), np.stack([values // 256] * 3, axis=2))


def test_16_bit_grey_in_a_big_endian_tiff_is_scaled(tmp_path: Path):
    image = Image.frombytes("I;16B", (24, 16), ramp_16_bit().astype(">u2").tobytes())
    image.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], ramp_16_bit() // 256)


def test_16_bit_colour_is_scaled(tmp_path: Path):
    grey = ramp_16_bit()
    values = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=2)
    (tmp_path / "a.png").write_bytes(png_16_bit(values, colour_type=2))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), values // 256)


def test_16_bit_colour_with_alpha_is_scaled(tmp_path: Path):
    values = np.array([[[65535, 0, 32768, 65535], [0, 0, 0, 0]]], np.uint16)
    (tmp_path / "a.png").write_bytes(png_16_bit(values, colour_type=6))
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 0, 128], [255, 255, 255]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exif_orientation_is_honoured(tmp_path: Path, suffix: str, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED_TURNS[orientation](four_colours())))
    options = {"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}
    stored.save(tmp_path / f"a{suffix}", exif=exif, **options)
    assert_nearly(read_image(tmp_path / f"a{suffix}"), four_colours(), tolerance=4)


def test_16_bit_pictures_are_turned_too(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(ramp_16_bit()[::-1, ::-1].copy()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], ramp_16_bit() // 256)


@pytest.mark.parametrize("exif", [b"Exif\x00\x00garbage", b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x09\x01\x12"])
def test_damaged_exif_counts_as_none(tmp_path: Path, exif: bytes):
    Image.fromarray(four_colours()).save(tmp_path / "a.png", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about the damage
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), four_colours())


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path, suffix: str):
    first, second = Image.fromarray(four_colours()), Image.new("RGB", (48, 32), "yellow")
    options = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second], **options)
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), four_colours())


def test_a_missing_picture_is_named(tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"picture .*gone\.jpg does not exist"):
        read_image(tmp_path / "gone.jpg")


def test_text_named_jpg_is_not_a_picture(tmp_path: Path):
    (tmp_path / "a.jpg").write_text("hello, I am a text\n" * 20)
    with pytest.raises(MediaError, match=r"a\.jpg is not a picture that can be read, or is damaged; conv") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.reason == "not a picture"


def test_a_page_description_is_not_run(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(MediaError, match="is not a picture") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.reason == "not a picture"


@pytest.mark.parametrize("options", [{"format": "JPEG"}, {"format": "JPEG", "progressive": True}, {"format": "PNG"}])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
def test_a_truncated_picture_is_refused(tmp_path: Path, options: dict[str, object], kept: float):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, **options)
    (tmp_path / "a.jpg").write_bytes(whole.getvalue()[: int(kept * whole.tell())])
    with pytest.raises(MediaError, match=r"a\.jpg is cut off or damaged \(.+\); copy or download it again$") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.reason == "truncated"


@pytest.mark.skipif(not features.check("avif"), reason="this build of Pillow reads no AVIF")
def test_a_damaged_avif_is_refused(tmp_path: Path):
    Image.fromarray(four_colours()).save(tmp_path / "a.avif")
    content = (tmp_path / "a.avif").read_bytes()
    start = content.index(b"mdat") + 4
    (tmp_path / "a.avif").write_bytes(content[:start] + b"\xff" * (len(content) - start))
    with pytest.raises(MediaError, match=r"a\.avif is cut off or damaged") as caught:
        read_image(tmp_path / "a.avif")
    assert caught.value.reason == "truncated"


def test_a_bomb_is_refused_from_its_header(tmp_path: Path):
    bomb = png_bytes(50_000, 50_000, depth=8, colour_type=2, rows=b"")  # there is nothing to decode
    (tmp_path / "a.png").write_bytes(bomb)
    with pytest.raises(
        MediaError, match=r"a\.png is too large: more than 178,956,970 pixels, and the limit is 150,000,000"
    ) as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.reason == "too large"


def test_the_limit_on_pixels_can_be_set(tmp_path: Path):
    Image.fromarray(four_colours()).save(tmp_path / "a.png")
    with pytest.raises(MediaError, match=r"is too large: 48 x 32 pixels, and the limit is 1,535; make it smaller$"):
        read_image(tmp_path / "a.png", max_pixels=48 * 32 - 1)
    assert read_image(tmp_path / "a.png", max_pixels=48 * 32).shape == (32, 48, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_without_a_known_range_are_refused(tmp_path: Path, dtype: type):
    Image.fromarray(np.ones((4, 4), dtype)).save(tmp_path / "a.tif")
    with pytest.raises(MediaError, match=r"pixels of the kind '.', whose range is not known; save it with") as caught:
        read_image(tmp_path / "a.tif")
    assert caught.value.reason == "unsupported"


def test_a_picture_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(Image, "open", refuse)  # root, as which containers run, may read everything
    with pytest.raises(MediaError, match=r"a\.png may not be read; change its permissions$") as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.reason == "unreadable"


def test_an_image_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MediaError, match=r"a\.png may not be read; change its permissions$"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("function", [(Path, "open"), (Image, "open")])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_damage_of_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: tuple[object, str], number: int
):
    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, "Too many open files")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(*function, refuse)
    text = r"^cannot read .*a\.png: too many open files; raise the limit with `ulimit -n 4096`$"
    with pytest.raises(MediaError, match=text) as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.reason == "unreadable"


def test_too_many_open_files_while_decoding_are_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(image: Image.Image) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    write_image(tmp_path / "a.png", four_colours())
    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)
    with pytest.raises(MediaError, match=r"a\.png: too many open files; raise the limit with `ulimit -n 4096`$"):
        read_image(tmp_path / "a.png")


def test_damage_is_told_in_one_line_whatever_the_decoder_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(image: Image.Image) -> None:
        raise ValueError("Invalid input:\nUnexpected end\n")

    write_image(tmp_path / "a.png", four_colours())
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    text = r"a\.png is cut off or damaged \(Invalid input: Unexpected end\); copy or download it again$"
    with pytest.raises(MediaError, match=text):
        read_image(tmp_path / "a.png")


def test_a_written_png_is_read_back_exactly(tmp_path: Path):
    write_image(tmp_path / "new folder" / "a.png", four_colours())
    np.testing.assert_array_equal(read_image(tmp_path / "new folder" / "a.png"), four_colours())


def test_a_written_jpeg_is_read_back_nearly(tmp_path: Path):
    write_image(tmp_path / "a.JPG", four_colours(), jpeg_quality=95)
    assert Image.open(tmp_path / "a.JPG").format == "JPEG"
    assert_nearly(read_image(tmp_path / "a.JPG"), four_colours(), tolerance=4)


def test_writing_leaves_nothing_else_behind(tmp_path: Path):
    write_image(tmp_path / "a.png", four_colours())
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_another_suffix_is_refused_before_writing(tmp_path: Path):
    with pytest.raises(MediaError, match=r"cannot write .*a\.webp: give a name that ends in \.png, \.jpg or \.jpeg$"):
        write_image(tmp_path / "a.webp", four_colours())
    assert not list(tmp_path.iterdir())


def test_resizing_interpolates_between_pixel_centres_without_antialiasing():
    row = np.array([[0, 100, 200, 40]], np.uint8)
    # the centre of each half lies between two pixels: their mean. Antialiasing would mix in all four.
    assert resize_image(row, (1, 2)).tolist() == [[50, 120]]


def test_resizing_takes_height_before_width():
    assert resize_image(four_colours(), (10, 20)).shape == (10, 20, 3)
    assert resize_image(four_colours(), 7).shape == (7, 7, 3)


def test_the_size_is_read_from_the_header_alone(tmp_path: Path):
    path = tmp_path / "a.png"
    write_image(path, np.random.default_rng(0).integers(0, 256, (30, 50, 3)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:500])
    assert image_size(path) == (30, 50)
    path.write_text("no picture")
    with pytest.raises(MediaError, match="is not a picture that can be read"):
        image_size(path)
