"""`realface prepare` killed at random moments, again and again, ends with the bytes of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from realface.media.video_writing import write_video

EXIT_SKIPPED = 2


@pytest.fixture
def wild(tmp_path):
    """Face crops as a data set has them: no face detector is needed, so that the time goes into files."""
    rng = np.random.default_rng(0)
    for sequence in range(40):
        folder = tmp_path / "wild" / ("real_train", "fake_test")[sequence % 2] / str(sequence) / "a"
        folder.mkdir(parents=True)
        for frame in range(12):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / f"{frame}.png")
    (folder / "99.png").write_bytes(b"broken")
    return tmp_path / "wild"


@pytest.fixture
def faceforensics(tmp_path):
    """Videos of a portrait, with fakes that take their boxes, masks, and a video that cannot be read."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = np.asarray(Image.open(file).convert("RGB").resize((256, 300)))
    marked = np.zeros_like(portrait)
    marked[:150] = 255
    root = tmp_path / "study"
    for real in range(6):
        name, frames = f"{real:03d}", [np.roll(portrait, 4 * (real + shift), axis=1) for shift in range(8)]
        write_video(root / f"original_sequences/youtube/c23/videos/{name}.mp4", frames)
        for method in ("Swap", "Other"):
            folder = root / "manipulated_sequences" / method
            write_video(folder / f"c23/videos/{name}_009.mp4", [255 - frame for frame in frames])
            write_video(folder / f"masks/videos/{name}_009.mp4", [marked] * 8)
    (root / "original_sequences/youtube/c23/videos/006.mp4").write_bytes(b"")
    return root


def start(source, out):
    command = [sys.executable, "-m", "realface", "prepare", source, out, "--workers", "2", "--frames", "8", "--json"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, "--size", "64"], start_new_session=True, **quiet)


def kill(process, rng):
    """Kill the whole group as a cluster does, or the parent alone, whose workers must then end by themselves."""
    if rng.random() < 0.5:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def files_of(out):
    """The bytes of every file; the locks name processes."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def num_done(out):
    journal = out / ".prepare" / "1-of-1" / "journal.tsv"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def killed_again_and_again(source, tmp_path, *, times, seed):
    """How many files were done at each kill; then the run is left to end, and compared with an undisturbed one.

    A run is killed some moments after it has done up to three files, or as soon as it has begun.
    """
    start(source, tmp_path / "whole").wait()
    rng, done, out = random.Random(seed), [], tmp_path / "out"
    while len(done) < times:
        process, enough = start(source, out), num_done(out) + rng.randrange(4)
        while process.poll() is None and (num_done(out) < enough or not (out / ".prepare").exists()):
            wait(process, 0.005)
        if wait(process, rng.uniform(0.0, 0.3)):
            kill(process, rng)
            done.append(num_done(out))
        elif (out / "manifest.parquet").exists():  # done before its time: begin from nothing
            compare(tmp_path / "whole", out)
            subprocess.run(["rm", "-r", out], check=True)
    assert start(source, out).wait() == EXIT_SKIPPED or (out / "manifest.parquet").exists()
    compare(tmp_path / "whole", out)
    return done


def wait(process, seconds):
    """Whether the process still runs after that time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def compare(whole, out):
    expected, files = files_of(whole), files_of(out)
    assert sorted(files) == sorted(expected)
    assert [name for name, data in files.items() if data != expected[name]] == []


def test_killed_twice_prepare_ends_with_the_same_bytes(wild, tmp_path):
    assert len(killed_again_and_again(wild, tmp_path, times=2, seed=3)) == 2


@pytest.mark.long
def test_killed_ten_times_prepare_ends_with_the_same_bytes(faceforensics, tmp_path):
    done = killed_again_and_again(faceforensics, tmp_path, times=10, seed=10)
    assert sum(0 < count < 19 for count in done) >= 5, done
