import signal

import numpy as np
import pytest

from realface.core import worker_limits
from realface.core.errors import LoadingError, RealfaceError
from realface.manifest import crop_images
from realface.manifest.crop_images import read_crop_images
from realface.manifest.manifest import Manifest
from realface.manifest.near_identical import image_hash
from realface.media.images import write_image


def noise(seed, height=32, width=32):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def manifest_of(root, *names):
    return Manifest.from_rows([{"path": name, "label": 0} for name in names], root=root)


def test_each_row_has_its_file_s_size_and_hash(tmp_path):
    write_image(tmp_path / "a.png", noise(1))
    write_image(tmp_path / "b.png", noise(2, 40, 30))
    read = read_crop_images(manifest_of(tmp_path, "b.png", "a.png", "b.png"), whole=True, quiet=True)
    assert read.sizes.tolist() == [[40, 30], [32, 32], [40, 30]]
    assert read.hashes.tolist() == [image_hash(noise(*of)).tolist() for of in ((2, 40, 30), (1,), (2, 40, 30))]
    assert read.has_hash.all()
    assert not read.is_blank.any()
    assert read.faults.null_count == 3


def test_headers_alone_give_sizes_and_no_hashes(tmp_path):
    write_image(tmp_path / "a.png", noise(1))
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    read = read_crop_images(manifest_of(tmp_path, "a.png"), whole=False, quiet=True)
    assert read.sizes.tolist() == [[32, 32]]
    assert not read.has_hash.any()
    assert not read.is_blank.any()
    assert read.faults.null_count == 1
    read = read_crop_images(manifest_of(tmp_path, "a.png"), whole=True, quiet=True)
    assert read.sizes.tolist() == [[0, 0]]
    assert "a.png is cut off or damaged" in read.faults[0].as_py()


def test_blank_damaged_and_absent_files_are_told_apart(tmp_path):
    write_image(tmp_path / "black.png", np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "text.png").write_text("no image")
    read = read_crop_images(manifest_of(tmp_path, "black.png", "text.png", "gone.png"), whole=True, quiet=True)
    assert read.is_blank.tolist() == [True, False, False]
    assert read.has_hash.tolist() == [False, False, False]
    assert [fault is not None for fault in read.faults.to_pylist()] == [False, True, False]
    assert "text.png is not a picture" in read.faults[1].as_py()


def test_processes_read_the_same_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(crop_images, "FILES_AT_ONCE", 3)
    names = [f"{i}.png" for i in range(11)]
    for i, name in enumerate(names):
        write_image(tmp_path / name, noise(i, 20 + i))
    here = read_crop_images(manifest_of(tmp_path, *names), whole=True, workers=0, quiet=True)
    there = read_crop_images(manifest_of(tmp_path, *names), whole=True, workers=2, quiet=True)
    assert here.sizes.tolist() == there.sizes.tolist() == [[20 + i, 32] for i in range(11)]
    assert here.hashes.tolist() == there.hashes.tolist()


def test_the_progress_counts_files(tmp_path, capsys):
    write_image(tmp_path / "a.png", noise(1))
    read_crop_images(manifest_of(tmp_path, "a.png"), whole=True)
    assert "check crops: 1/1 files" in capsys.readouterr().err


def kill_this_process():
    signal.raise_signal(signal.SIGKILL)


def test_a_killed_worker_process_is_explained():
    with pytest.raises(RealfaceError, match=r"a worker process was killed.*with fewer --workers"):
        list(crop_images._in_processes(iter([kill_this_process]), 1))


def test_processes_that_cannot_start_are_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(worker_limits, "free_files", lambda: 5)
    with pytest.raises(LoadingError, match=r"can open 5 more files .* raise the limit with `ulimit -n 4096`"):
        list(crop_images._in_processes(iter([]), 2))
