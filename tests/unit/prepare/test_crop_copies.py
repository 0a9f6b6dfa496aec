import errno
from pathlib import Path

import pytest
from PIL import Image

from realface.core.files import sha256_of
from realface.faces.detectors.registry import default_crop_spec
from realface.manifest.manifest import Manifest
from realface.prepare.crop_copies import copy_crops
from realface.prepare.pipeline import ExecutionSettings, prepare_dataset
from realface.prepare.record import PrepareJob


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 24), "grey").save(path)
    return path


@pytest.fixture
def copy(output, make_item):
    def run(source):
        return copy_crops(PrepareJob(0, make_item(source, video="v")), output)

    return run


def test_crops_are_copied_byte_for_byte_and_each_folder_is_a_video(copy, output, tmp_path):
    first, second = picture(tmp_path / "s/7.png"), picture(tmp_path / "s/b/8.png")
    record = copy(tmp_path / "s")
    assert [(row["video"], row["frame"]) for row in record.rows] == [("v", 7), ("v/b", 8)]
    for row, given in zip(record.rows, (first, second), strict=True):
        assert (output.out / row["path"]).read_bytes() == given.read_bytes()
        assert row["sha256"] == sha256_of(given)
    assert (record.skipped, list(output.scratch.iterdir())) == ([], [])


def test_a_source_that_the_disk_does_not_give_is_lost_with_the_reason(copy, tmp_path, monkeypatch):
    picture(tmp_path / "s/7.png")

    def failing(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("realface.prepare.crop_copies.read_sequences", failing)
    (each,) = copy(tmp_path / "s").skipped
    assert (each.reason, each.text) == ("unreadable", f"cannot read {tmp_path / 's'}: Input/output error")


def test_a_source_that_is_gone_is_missing(copy, tmp_path):
    (each,) = copy(tmp_path / "gone").skipped
    assert each.reason == "missing"


def test_a_full_disk_ends_the_run_and_is_no_loss_of_the_source(copy, tmp_path, monkeypatch):
    picture(tmp_path / "s/7.png")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device"):
        copy(tmp_path / "s")


def test_two_pictures_that_would_have_one_name_do_not_overwrite_one_another(copy, tmp_path):
    picture(tmp_path / "s/a_1.png")
    picture(tmp_path / "s/a\\1.png")
    record = copy(tmp_path / "s")
    assert len(record.rows) == 1
    (each,) = record.skipped
    assert each.reason == "frame: one name twice"


def test_crops_of_a_data_set_that_comes_cut_are_copied_and_unknown(tmp_path):
    levels = {"real_train/1/a/0003.png": 10, "real_train/1/a/0001.png": 20, "fake_test/7/b/0.png": 30}
    for name, level in levels.items():
        (tmp_path / "wild" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 24), (level, level, level)).save(tmp_path / "wild" / name)
    (tmp_path / "wild/fake_test/7/b/1.png").write_bytes(b"broken")
    result = prepare_dataset(
        tmp_path / "wild",
        tmp_path / "out",
        spec=default_crop_spec(size=32, frames=2),
        execution=ExecutionSettings(workers=0, quiet=True),
    )
    manifest = Manifest.read(result.manifest)
    assert (result.dataset, result.num_crops, manifest.header.crop.is_unknown) == ("wilddeepfake", 3, True)
    assert result.skipped_frames == {"not a picture": 1}
    rows = dict(zip(manifest.column("source"), manifest.table.to_pylist(), strict=False))
    assert {row["label"] for row in rows.values()} == {0, 1}
    assert sorted(manifest.column("frame")) == [0, 1, 3]
    for row in range(len(manifest)):
        original = next((tmp_path / "wild").rglob(manifest.file_of(row).name))
        assert manifest.table["sha256"][row].as_py() == sha256_of(manifest.file_of(row))
        assert original.exists()
