import json

import matplotlib.cbook
import pytest

from realface.cli.main import run


@pytest.fixture
def source(tmp_path):
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = file.read()
    (tmp_path / "in" / "real").mkdir(parents=True)
    (tmp_path / "in" / "real" / "a.jpg").write_bytes(portrait)
    return tmp_path / "in"


def test_a_folder_without_losses_is_code_0(source, tmp_path, capsys):
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 0
    out = capsys.readouterr().out
    assert "layout plain: 1 of 1 files gave 1 crops" in out
    assert f"manifest: {tmp_path / 'out' / 'manifest.parquet'}" in out


def test_losses_are_counted_by_reason_and_code_2(source, tmp_path, capsys):
    (source / "real" / "b.jpg").write_bytes(b"")
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 2
    out = capsys.readouterr().out
    assert "1 of 2 files gave 1 crops" in out
    assert "lost, empty file: 1" in out
    assert "losses.csv" in out


def test_masks_that_could_not_be_used_are_counted_and_code_2(tmp_path, capsys, monkeypatch):
    from realface.prepare import pipeline

    result = pipeline.PrepareResult(
        manifest=tmp_path / "m.parquet",
        layout="faceforensics",
        num_sources=2,
        num_crops=8,
        num_masks=4,
        losses={},
        mask_losses={"other size": 1},
        missing=(),
    )
    monkeypatch.setattr(pipeline, "prepare", lambda *_, **__: result)
    assert run(["prepare", str(tmp_path), str(tmp_path / "out")]) == 2
    out = capsys.readouterr().out
    assert "2 of 2 files gave 8 crops, 4 of them with a mask" in out
    assert "mask not used, other size: 1" in out
    assert "losses.csv" in out


def test_json_is_one_document(source, tmp_path, capsys):
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["layout"], document["num_sources"], document["num_crops"]) == ("plain", 1, 1)


def test_the_crops_are_as_asked(source, tmp_path):
    from realface.data.manifest import Manifest

    out = tmp_path / "out"
    assert run(["prepare", str(source), str(out), "--workers", "0", "--size", "64", "--margin", "0.5"]) == 0
    spec = Manifest.read(out / "manifest.parquet").header.crop
    assert (spec.size, spec.margin) == (64, 0.5)


def test_ctrl_c_says_that_the_same_command_goes_on(source, tmp_path, capsys, monkeypatch):
    from realface.prepare import pipeline

    def broken_off(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "prepare_item", broken_off)
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 130
    assert "finished files are kept; the same command goes on from there" in capsys.readouterr().err
