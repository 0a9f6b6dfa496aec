import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realface.core.debugging import VARIABLE, debugging, is_debugging
from realface.media.library_messages import without_warnings

# threads of a program that uses Realface may write to the terminal while an image is decoded
READ = """
import sys, threading, time
from pathlib import Path
from realface.core.errors import MediaError
from realface.media.opening import open_media
stop = threading.Event()
def report():
    while not stop.wait(0.001):
        print("progress", file=sys.stderr)
thread = threading.Thread(target=report)
thread.start()
for name in sys.argv[1:]:
    try:
        reader = open_media(Path(name), threads=1)
        print(len(list(reader.frames(4))))
    except MediaError as error:
        print(error.reason)
stop.set()
thread.join()
"""


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def damaged_files(folder: Path) -> list[Path]:
    """Files about which libtiff, Pillow and FFmpeg print a line or more."""
    for name, options in {
        "lzw.tif": {"compression": "tiff_lzw"},
        "zip.tif": {"compression": "tiff_adobe_deflate"},
        "jpeg.tif": {"compression": "jpeg"},
        "a.jpg": {"quality": 90},
        "a.png": {},
        "a.webp": {},
    }.items():
        stored = io.BytesIO()
        noise().save(
            stored, {".tif": "TIFF", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[Path(name).suffix], **options
        )
        content = bytearray(stored.getvalue())
        middle = len(content) // 2
        content[middle : middle + 60] = bytes(60)
        (folder / name).write_bytes(content)
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x09\x01\x12"
    noise().save(folder / "exif.png", exif=exif)
    return sorted(folder.iterdir())


def read_in_another_process(files: list[Path], *, debug: bool) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {VARIABLE: "1"} if debug else {}
    return subprocess.run(
        [sys.executable, "-c", READ, *map(str, files)], capture_output=True, text=True, env=environment, check=True
    )


def test_messages_of_libraries_do_not_reach_the_terminal(tmp_path: Path):
    files = damaged_files(tmp_path)
    done = read_in_another_process(files, debug=False)
    assert set(done.stderr.splitlines()) == {"progress"}
    assert len(done.stdout.splitlines()) == len(files)
    assert "truncated" in done.stdout


def test_messages_of_libraries_are_shown_when_debugging(tmp_path: Path):
    done = read_in_another_process(damaged_files(tmp_path), debug=True)
    messages = set(done.stderr.splitlines()) - {"progress"}
    assert any("LZW" in line or "Using code not yet in table" in line or "ZIPDecode" in line for line in messages)


@pytest.mark.parametrize("debug", [False, True])
def test_warnings_are_ignored_in_the_block_unless_debugging(debug: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with warnings.catch_warnings(record=True) as caught, debugging(debug):
        warnings.simplefilter("always")
        with without_warnings():
            warnings.warn("damaged EXIF", UserWarning, stacklevel=1)
    assert len(caught) == debug


def test_debugging_lasts_for_the_block_and_is_known_to_other_processes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with debugging(True):
        assert is_debugging()
        assert os.environ[VARIABLE] == "1"
    assert not is_debugging()
    with debugging(False):
        assert not is_debugging()


def test_the_environment_variable_asks_for_debugging_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, "1")
    with debugging(True):
        assert is_debugging()
    assert is_debugging()
