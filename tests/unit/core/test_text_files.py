import pytest

from realface.core.text_files import decode_text, read_text


@pytest.mark.parametrize("data", ["ä\nb".encode(), "\ufeffä\nb".encode(), b"", b"a"])
def test_utf_8_is_read_with_or_without_a_mark(data):
    assert decode_text(data) == data.decode("utf-8-sig")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_utf_16_is_refused(encoding, errors):
    with pytest.raises(ValueError, match=r"^UTF-16 text; save it as UTF-8$"):
        decode_text("path label".encode(encoding), errors=errors)


def test_other_bytes_are_refused_or_escaped_as_asked():
    with pytest.raises(ValueError, match=r"^not UTF-8 text \(byte 1\); save it as UTF-8$"):
        decode_text(b"a\xff")
    assert decode_text(b"a\xff", errors="surrogateescape") == "a\udcff"


def test_every_line_of_a_file_ends_alike(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(tmp_path / "a.txt") == "a\nb\nc\n"
