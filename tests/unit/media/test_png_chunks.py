import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realface.core.errors import MediaError
from realface.media.images import read_image


def gradient() -> np.ndarray:
    rows, columns = np.mgrid[0:32, 0:48]
    return np.stack([rows * 7, columns * 5, rows + columns], axis=2).astype(np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_with(*chunks: bytes, at_end: bool = False, **options: object) -> bytes:
    """A PNG of `gradient` with chunks inserted behind its header, or before its end."""
    stored = io.BytesIO()
    Image.fromarray(gradient()).save(stored, "PNG", **options)
    whole = stored.getvalue()
    at = len(whole) - 12 if at_end else 33  # signature 8, IHDR 25, IEND 12
    return whole[:at] + b"".join(chunks) + whole[at:]


def inflating_to(num_bytes: int) -> bytes:
    """A zlib stream of that many zeros, made without holding them."""
    deflater = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [deflater.compress(block) for _ in range(num_bytes >> 20)]
    return b"".join([*parts, deflater.flush()])


LONG = zlib.compress(b"parameters: " + bytes(range(1, 256)) * 6000)  # 1.5 MB of text
CHUNKS = {
    "zTXt": chunk(b"zTXt", b"parameters\0\0" + LONG),
    "iTXt": chunk(b"iTXt", b"prompt\0\x01\0\0\0" + LONG),
    "compressed XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0" + LONG),
    "compressed EXIF": chunk(b"zTXt", b"Raw profile type exif\0\0" + LONG),
    "ICC": chunk(b"iCCP", b"Photoshop\0\0" + LONG),
    "C2PA": chunk(b"caBX", bytes(2_000_000)),
    "damaged zTXt": chunk(b"zTXt", b"prompt\0\0no zlib stream"),
    "damaged EXIF": chunk(b"zTXt", b"Raw profile type exif\0\0no zlib stream"),
    "wrong checksum": chunk(b"tEXt", b"Comment\0hello")[:-1] + b"\x00",
    "zTXt without text": chunk(b"zTXt", b""),
}


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("name", CHUNKS)
def test_long_or_damaged_chunks_that_show_nothing_are_skipped(tmp_path: Path, name: str, at_end: bool):
    (tmp_path / "a.png").write_bytes(png_with(CHUNKS[name], at_end=at_end))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient())


def test_more_text_than_pillow_allows_in_all_is_skipped(tmp_path: Path):
    texts = [chunk(b"tEXt", b"key%d\0" % number + b"x" * 1_000_000) for number in range(70)]
    (tmp_path / "a.png").write_bytes(png_with(*texts))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient())


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("keyword", [b"prompt", b"XML:com.adobe.xmp", b"Raw profile type exif"])
def test_a_chunk_that_inflates_to_much_is_not_inflated(tmp_path: Path, name: bytes, keyword: bytes, monkeypatch):
    inflated = []

    class Counting:
        def __init__(self) -> None:
            self._inflater = decompressobj()

        def decompress(self, data: bytes, most: int = 0) -> bytes:
            text = self._inflater.decompress(data, most)
            inflated.append(len(text))
            return text

        def __getattr__(self, attribute: str) -> object:
            return getattr(self._inflater, attribute)

    decompressobj = zlib.decompressobj
    fields = b"\0\x01\0\0\0" if name == b"iTXt" else b"\0\0"
    (tmp_path / "a.png").write_bytes(png_with(chunk(name, keyword + fields + inflating_to(64 << 20))))
    monkeypatch.setattr("zlib.decompressobj", Counting)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient())
    assert sum(inflated) <= 1 << 20


@pytest.mark.parametrize("compressed", [False, True])
def test_an_orientation_in_a_text_chunk_is_honoured(tmp_path: Path, compressed: bool):
    xmp = b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"></x>'
    fields = b"\0\x01\0\0\0" + zlib.compress(xmp) if compressed else b"\0\0\0\0\0" + xmp
    (tmp_path / "a.png").write_bytes(png_with(chunk(b"iTXt", b"XML:com.adobe.xmp" + fields)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient()[::-1, ::-1])


def test_an_orientation_in_an_exif_chunk_is_honoured_beside_long_text(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 3
    (tmp_path / "a.png").write_bytes(png_with(CHUNKS["zTXt"], exif=exif))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient()[::-1, ::-1])


def test_a_png_with_long_text_that_is_cut_off_is_refused(tmp_path: Path):
    whole = png_with(CHUNKS["zTXt"])
    (tmp_path / "a.png").write_bytes(whole[: len(whole) - 30])
    with pytest.raises(MediaError, match="is cut off or damaged") as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.reason == "truncated"


def test_a_length_beyond_the_end_is_not_a_png_that_can_be_read(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png_with(b"\xff\xff\xff\xffzTXtprompt"))
    with pytest.raises(MediaError, match="is not a picture that can be read, or is damaged"):
        read_image(tmp_path / "a.png")
