import struct
from pathlib import Path

import pytest

from realface.media.mp4_boxes import is_cut_off


def box(kind: bytes, num_bytes: int) -> bytes:
    return struct.pack(">I4s", 8 + num_bytes, kind) + bytes(num_bytes)


def long_box(kind: bytes, num_bytes: int) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + num_bytes) + bytes(num_bytes)


def endless_box(kind: bytes, num_bytes: int) -> bytes:
    return struct.pack(">I4s", 0, kind) + bytes(num_bytes)


WHOLE = {
    "index last": box(b"ftyp", 16) + box(b"free", 0) + box(b"mdat", 500) + box(b"moov", 100),
    "index first": box(b"ftyp", 16) + box(b"moov", 100) + box(b"mdat", 500),
    "index first, room after it": box(b"ftyp", 16) + box(b"moov", 100) + box(b"free", 200) + box(b"mdat", 200),
    "64-bit sizes": box(b"ftyp", 16) + long_box(b"mdat", 500) + box(b"moov", 100),
    "up to the end": box(b"ftyp", 16) + box(b"moov", 100) + endless_box(b"mdat", 500),
    "fragments": box(b"ftyp", 16) + box(b"moov", 100) + box(b"moof", 50) + box(b"mdat", 500),
    "old MOV": box(b"wide", 0) + box(b"mdat", 500) + box(b"moov", 100),
}


def is_cut(tmp_path: Path, content: bytes) -> bool:
    (tmp_path / "a.mp4").write_bytes(content)
    return is_cut_off(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_not_cut_off(tmp_path: Path, name: str):
    assert not is_cut(tmp_path, WHOLE[name])


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"up to the end"}))
@pytest.mark.parametrize("num_missing", [1, 90, 300])
def test_a_file_that_lacks_its_end_is_cut_off(tmp_path: Path, name: str, num_missing: int):
    assert is_cut(tmp_path, WHOLE[name][:-num_missing])


@pytest.mark.parametrize("kept", [9, 24, 30, 40, 48])
def test_the_cut_is_seen_wherever_it_is(tmp_path: Path, kept: int):
    assert is_cut(tmp_path, WHOLE["64-bit sizes"][:kept])


def test_bytes_after_the_last_box_do_no_harm(tmp_path: Path):
    assert not is_cut(tmp_path, WHOLE["index last"] + b"\xff" * 50)
    assert not is_cut(tmp_path, WHOLE["index last"] + bytes(50))


@pytest.mark.parametrize("content", [b"", b"short", b"RIFF\x00\x00\x00\x00AVI LIST", b"a text that is long enough"])
def test_files_of_other_kinds_are_never_cut_off(tmp_path: Path, content: bytes):
    assert not is_cut(tmp_path, content)
