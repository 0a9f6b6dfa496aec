import json
import signal

import matplotlib.cbook
import pytest
from PIL import Image

from realface.cli.main import run


@pytest.fixture
def source(tmp_path):
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = file.read()
    (tmp_path / "in" / "real").mkdir(parents=True)
    (tmp_path / "in" / "real" / "a.jpg").write_bytes(portrait)
    return tmp_path / "in"


def test_a_folder_without_skipped_files_is_code_0(source, tmp_path, capsys):
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 0
    out = capsys.readouterr().out
    assert "dataset plain: 1 of 1 files gave 1 crops" in out
    assert f"manifest: {tmp_path / 'out' / 'manifest.parquet'}" in out


def test_skipped_files_are_counted_by_reason_and_code_2(source, tmp_path, capsys):
    (source / "real" / "b.jpg").write_bytes(b"")
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 2
    out = capsys.readouterr().out
    assert "1 of 2 files gave 1 crops" in out
    assert "skipped files by reason (details in" in out
    assert "  empty file: 1\n" in out
    assert "skipped.csv" in out


def test_masks_that_could_not_be_used_are_counted_and_code_2(tmp_path, capsys, monkeypatch):
    from realface.prepare import pipeline
    from realface.prepare.finish import PrepareResult

    result = PrepareResult(
        manifest=tmp_path / "m.parquet",
        dataset="faceforensics",
        num_sources=2,
        num_crops=8,
        num_masks=4,
        num_unmarked=2,
        num_hdr=3,
        skipped={},
        skipped_masks={"other size": 1},
        skipped_frames={"no face found": 3},
        boxes={"original": 5, "own: other size": 1},
        found={"left out: in no label folder": 7},
        left_out={"videos": 4, "other files (.txt)": 1},
        missing=("masks",),
        notes=(),
    )
    monkeypatch.setattr(pipeline, "prepare_dataset", lambda *_, **__: result)
    assert run(["prepare", str(tmp_path), str(tmp_path / "out")]) == 2
    out = capsys.readouterr().out
    assert "2 of 2 files gave 8 crops, 4 of them with a mask" in out
    assert "HDR videos converted to SDR: 3" in out
    assert "  mask: other size: 1\n" in out
    assert "  frame: no face found: 3\n" in out
    assert "fakes cut by boxes of their original: 5" in out
    assert "fakes cut by boxes of their own (other size): 1" in out
    assert "found, left out: in no label folder: 7" in out
    assert "unused files, videos: 4\nunused files, other files (.txt): 1\n" in out
    assert "crops in which their mask marks nothing, so perhaps of somebody else: 2" in out
    assert "skipped.csv" in out


def test_json_is_one_document(source, tmp_path, capsys):
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["dataset"], document["num_sources"], document["num_crops"]) == ("plain", 1, 1)


def test_the_crops_are_as_asked(source, tmp_path):
    from realface.manifest.manifest import Manifest

    out = tmp_path / "out"
    cut = ["--size", "64", "--margin", "0.5", "--alignment", "five-point", "--jpeg-quality", "90"]
    chosen = ["--face", "all", "--min-face", "20", "--frames", "5"]
    assert run(["prepare", str(source), str(out), "--workers", "0", *cut, *chosen]) == 0
    manifest = Manifest.read(out / "manifest.parquet")
    spec = manifest.header.crop
    assert (spec.size, spec.margin, spec.alignment, spec.jpeg_quality) == (64, 0.5, "five-point", 90)
    assert (spec.face, spec.min_face, spec.frames) == ("all", 20, 5)
    assert manifest.file_of(0).suffix == ".jpg"


def test_without_options_the_face_that_a_mask_marks_is_kept(source, tmp_path):
    from realface.manifest.manifest import Manifest

    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 0
    assert Manifest.read(tmp_path / "out" / "manifest.parquet").header.crop.face == "mask"


def test_shards_are_done_one_by_one_and_merged(source, tmp_path, capsys):
    (source / "real" / "b.jpg").write_bytes(b"")
    command = ["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]
    assert run([*command, "--merge", "2"]) == 2
    assert "not all shards are done: 1/2 (1 of 1 files left), 2/2" in capsys.readouterr().err
    assert run([*command, "--shard", "1/2"]) == 0
    assert "shard 1/2: 1 files done\nwhen all shards are done: the same" in capsys.readouterr().out
    assert run([*command, "--shard", "2/2", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {"shard": "2/2", "num_sources": 1, "skipped": {"empty file": 1}}
    assert run([*command, "--merge", "2"]) == 2
    assert "1 of 2 files gave 1 crops" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--shard", "3/2"],
            "--shard: expected i/N with i from 1 to N, such as 1/4 for the first of four parts, got '3/2'",
        ),
        (["--merge", "2", "--shard", "1/2"], "--merge goes alone"),
        (["--merge", "2", "--redo", "all"], "--merge goes alone"),
        (["--face-detector", "yunet"], "yunet"),
        (["--face-detector", "eyes"], "eyes"),
    ],
)
def test_options_that_make_no_sense_are_code_2_and_explained(source, tmp_path, capsys, options, text):
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0", *options]) == 2
    assert text in capsys.readouterr().err


def test_a_finished_folder_in_which_nothing_was_lost_for_the_reason_is_code_2_and_explained(source, tmp_path, capsys):
    command = ["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]
    assert run([*command, "--redo", "bad luck"]) == 0  # nothing is done yet, so all of it is done now
    assert run([*command, "--redo", "bad luck"]) == 2
    assert "no file was skipped for this reason; reasons here: none" in capsys.readouterr().err


def test_ctrl_c_says_that_the_same_command_goes_on(source, tmp_path, capsys, monkeypatch):
    from realface.prepare import executors

    def broken_off(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(executors, "prepare_item", broken_off)
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 130
    assert "finished files are kept; run the same command to continue" in capsys.readouterr().err


def test_sigterm_ends_with_its_own_code_and_says_that_the_same_command_goes_on(source, tmp_path, capsys, monkeypatch):
    from realface.prepare import executors

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(executors, "prepare_item", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    assert run(["prepare", str(source), str(tmp_path / "out"), "--workers", "0"]) == 128 + signal.SIGTERM
    expected = "stopped by SIGTERM\nhint: run the same command to continue; finished files are kept"
    assert expected in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_face_crops_are_said_to_be_copied_as_they_are(tmp_path, capsys):
    (tmp_path / "wild" / "real_train" / "1" / "a").mkdir(parents=True)
    Image.new("RGB", (24, 24)).save(tmp_path / "wild" / "real_train" / "1" / "a" / "1.png")
    assert run(["prepare", str(tmp_path / "wild"), str(tmp_path / "out"), "--workers", "0", "--size", "64"]) == 0
    assert "wilddeepfake comes as face crops, which are copied as they are: of the options" in capsys.readouterr().err


def test_landmarks_are_stored_beside_the_manifest(source, tmp_path, capsys):
    from realface.data.landmark_store import read_landmarks

    words = ["prepare", str(source), str(tmp_path / "out"), "--workers", "0", "--landmarks", "mesh"]
    assert run(words) == 0
    file = tmp_path / "out" / "landmarks.parquet"
    assert f"landmarks: 1 of 1 crops by the face mesh, 0 by five points, 0 without: {file}" in capsys.readouterr().out
    assert len(read_landmarks(file)) == 1
    before = file.read_bytes()
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["landmarks"]["num_computed"] == 0
    assert file.read_bytes() == before


def test_landmarks_of_a_shard_are_refused(source, tmp_path, capsys):
    assert run(["prepare", str(source), str(tmp_path / "out"), "--landmarks", "mesh", "--shard", "1/2"]) == 2
    assert "--landmarks cannot be combined with --shard" in capsys.readouterr().err
