import csv
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from realface.core.errors import (
    CropSpecError,
    DatasetError,
    MissingInputError,
    OutputExistsError,
    PrepareError,
)
from realface.core.files import sha256_of
from realface.faces.detectors.registry import default_crop_spec
from realface.manifest.checks import check_manifest
from realface.manifest.manifest import Manifest
from realface.media.images import read_image
from realface.media.video_writing import write_video
from realface.prepare import executors, pipeline
from realface.prepare.pipeline import STATE, ExecutionSettings, merge_shards, prepare_dataset, prepare_shard
from realface.prepare.shards import Shard

SPEC = default_crop_spec(size=32, frames=2)
HERE = ExecutionSettings(workers=0, quiet=True)


@pytest.fixture
def source(tmp_path):
    """A folder with one real portrait, its mirror image as the fake, a picture without a face and a broken one."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = Image.open(file).convert("RGB").resize((256, 300))
    for name, picture in {
        "real/grace.png": portrait,
        "fake/ecarg.png": Image.fromarray(np.asarray(portrait)[:, ::-1]),
        "real/sky.png": Image.new("RGB", (200, 200), "skyblue"),
    }.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "in" / name)
    (tmp_path / "in" / "fake" / "broken.jpg").write_text("no picture")
    return tmp_path / "in"


def test_faces_become_crops_and_a_manifest(source, tmp_path):
    result = prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert (result.dataset, result.num_sources, result.num_crops) == ("plain", 4, 2)
    manifest = Manifest.read(result.manifest)
    assert manifest.header.crop == SPEC
    assert sorted(manifest.labels) == [0, 1]
    assert all(manifest.file_of(row).exists() for row in range(len(manifest)))
    assert manifest.header.sources["real/grace.png"] == sha256_of(source / "real" / "grace.png")


def test_what_the_reader_found_and_left_out_is_counted(source, tmp_path):
    (source / "fake" / "notes.txt").write_text("neither picture nor video")
    result = prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert result.found == {"fake images": 2, "real images": 2}
    assert result.left_out == {"other files (.txt)": 1}


def test_a_name_that_is_no_utf_8_is_written_down_in_letters(source, tmp_path):
    (source / "real" / "grace.png").rename(os.fsdecode(os.fsencode(source / "real") + b"/gr\xe2ce.png"))
    (source / "fake" / "broken.jpg").rename(os.fsdecode(os.fsencode(source / "fake") + b"/\xff.jpg"))
    manifest = Manifest.read(prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE).manifest)
    (row,) = [row for row in manifest.table.to_pylist() if row["label"] == 0]
    assert (row["source"], row["video"]) == ("real/gr%E2ce.png", "real/gr%E2ce")
    assert (manifest.root / row["path"]).exists()
    assert "fake/%FF.jpg,not an image or video" in (tmp_path / "out" / "skipped.csv").read_text(encoding="utf-8")


def test_every_loss_is_counted_and_named_with_its_reason(source, tmp_path):
    result = prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert result.skipped == {"no face found": 1, "not an image or video": 1}
    assert Manifest.read(result.manifest).header.skipped == result.skipped
    with (tmp_path / "out" / "skipped.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], row["reason"]) for row in rows] == [
        ("fake/broken.jpg", "not an image or video"),
        ("real/sky.png", "no face found"),
    ]


def test_worker_processes_give_the_same_manifest_as_none(source, tmp_path):
    alone = prepare_dataset(source, tmp_path / "alone", spec=SPEC, execution=HERE)
    shared = prepare_dataset(source, tmp_path / "shared", spec=SPEC, execution=ExecutionSettings(workers=2, quiet=True))
    assert alone.manifest.read_bytes() == shared.manifest.read_bytes()


def interrupted_after(count, monkeypatch):
    """Let a run be broken off after `count` files; the list of all files that are begun from then on."""
    real_work, begun = executors.prepare_item, []

    def interrupted(job, *settings, **more):
        if len(begun) == count:
            raise KeyboardInterrupt
        begun.append(job.item.video)
        return real_work(job, *settings, **more)

    monkeypatch.setattr(executors, "prepare_item", interrupted)
    return begun


def files_of(out):
    """The bytes of every file of an output folder; the locks name processes."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_broken_off_run_goes_on_without_doing_anything_twice(source, tmp_path, monkeypatch):
    prepare_dataset(source, tmp_path / "whole", spec=SPEC, execution=HERE)
    with monkeypatch.context() as patched:
        done = interrupted_after(2, patched)
        with pytest.raises(KeyboardInterrupt):
            prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert not (tmp_path / "out" / "manifest.parquet").exists()
    again = interrupted_after(99, monkeypatch)
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert len(again) == 2
    assert not set(again) & set(done)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_second_run_does_nothing_and_says_the_same(source, tmp_path, monkeypatch):
    first = prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    files = files_of(tmp_path / "out")
    begun = interrupted_after(0, monkeypatch)
    assert prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE) == first
    assert begun == []
    assert files_of(tmp_path / "out") == files


def test_a_loss_is_tried_again_when_asked_and_nothing_else_is(source, tmp_path, monkeypatch):
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    (source / "fake" / "ecarg.png").rename(source / "moved.png")
    (source / "fake" / "broken.jpg").write_bytes((source / "moved.png").read_bytes())
    (source / "moved.png").rename(source / "fake" / "ecarg.png")
    begun = interrupted_after(99, monkeypatch)
    result = prepare_dataset(source, tmp_path / "out", spec=SPEC, redo=["not an image or video"], execution=HERE)
    assert begun == ["fake/broken"]
    assert result.skipped == {"no face found": 1}
    assert result.num_crops == 3


def test_all_skipped_files_are_retried_with_one_word(source, tmp_path, monkeypatch):
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    begun = interrupted_after(99, monkeypatch)
    prepare_dataset(source, tmp_path / "out", spec=SPEC, redo=["all"], execution=HERE)
    assert sorted(begun) == ["fake/broken", "real/sky"]


def test_a_reason_that_nothing_was_lost_for_is_refused_with_those_that_are(source, tmp_path):
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    with pytest.raises(
        PrepareError, match=r"--redo 'truncated': .*; reasons here: no face found, not an image or video"
    ):
        prepare_dataset(source, tmp_path / "out", spec=SPEC, redo=["truncated"], execution=HERE)


def test_a_second_try_that_was_broken_off_goes_on_with_the_same_command(source, tmp_path, monkeypatch):
    prepare_dataset(source, tmp_path / "whole", spec=SPEC, execution=HERE)
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    with monkeypatch.context() as patched:
        interrupted_after(0, patched)
        with pytest.raises(KeyboardInterrupt):
            prepare_dataset(source, tmp_path / "out", spec=SPEC, redo=["no face found"], execution=HERE)
    assert not (tmp_path / "out" / "manifest.parquet").exists()  # it could name crops that do not come back
    result = prepare_dataset(source, tmp_path / "out", spec=SPEC, redo=["no face found"], execution=HERE)
    assert result.skipped == {"no face found": 1, "not an image or video": 1}
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_shard_that_lost_nothing_for_the_reason_has_nothing_to_try_again(source, tmp_path):
    out = tmp_path / "out"
    for redo in ([], ["not an image or video"]):
        lost = [
            prepare_shard(source, out, shard=Shard(number, 2), spec=SPEC, redo=redo, execution=HERE)
            for number in (1, 2)
        ]
    assert [dict(shard.skipped) for shard in lost] == [{"not an image or video": 1}, {"no face found": 1}]


def test_crops_of_a_killed_run_go_when_their_file_is_lost_in_the_next(source, tmp_path, monkeypatch):
    """A run is killed between the move of the crops and the line in the journal; then the file breaks."""
    with monkeypatch.context() as patched:
        killed = lambda _journal, _index, record: record.rows and sys.exit("killed")  # noqa: E731
        patched.setattr("realface.prepare.pipeline.Journal.append", killed)
        with pytest.raises(SystemExit):
            prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    (crop,) = (tmp_path / "out").rglob("*.png/*.png")
    next(source.rglob(crop.parent.name)).write_bytes(b"")
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert not crop.exists()
    assert not crop.parent.exists()


def test_folders_are_handed_to_the_workers_whole(source, tmp_path, monkeypatch):
    """Workers on other machines have another working folder."""
    real_work, places = executors.prepare_item, []

    def noted(job, output, face_detector):
        places.append(output)
        return real_work(job, output, face_detector)

    monkeypatch.setattr(executors, "prepare_item", noted)
    monkeypatch.chdir(tmp_path)
    result = prepare_dataset(source.relative_to(tmp_path), Path("out"), spec=SPEC, execution=HERE)
    assert result.manifest == Path("out/manifest.parquet")
    assert {output.out for output in places} == {tmp_path / "out"}
    assert {output.scratch.is_absolute() for output in places} == {True}


def test_what_a_killed_run_left_in_its_scratch_folder_goes_and_the_next_has_another(source, tmp_path):
    left = tmp_path / "out" / STATE / "1-of-1" / "scratch" / "old" / "a.png"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    kept = {path.name for path in (tmp_path / "out" / STATE / "1-of-1").iterdir()}
    assert kept == {".lock", "journal.tsv", "settings.json"}


def test_what_the_source_lacks_is_said_before_the_work(masked_source, tmp_path, monkeypatch, capsys):
    interrupted_after(0, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        prepare_dataset(masked_source, tmp_path / "out", spec=SPEC, execution=ExecutionSettings(workers=0))
    assert "realface prepare: missing: " in capsys.readouterr().err


def test_hashes_of_the_source_files_are_a_table(source, tmp_path):
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    with (tmp_path / "out" / "sources.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["source"]: row["sha256"] for row in csv.DictReader(file)}
    assert rows == {name: sha256_of(source / name) for name in ("fake/ecarg.png", "real/grace.png")}


def test_hashes_of_very_many_source_files_are_not_in_the_header(source, tmp_path, monkeypatch):
    """A Parquet file whose header has hundreds of megabytes can be written, and not read."""
    monkeypatch.setattr("realface.prepare.finish.MOST_IN_HEADER", 1)
    header = Manifest.read(prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE).manifest).header
    assert (header.sources, header.note) == ({}, "the SHA-256 of all 2 source files stand in sources.csv")


def test_a_file_that_can_no_longer_be_read_leaves_no_crops_behind_when_tried_again(masked_source, tmp_path):
    prepare_dataset(masked_source, tmp_path / "out", spec=SPEC, execution=HERE)
    lossy = masked_source / "manipulated_sequences/Swap/c23/videos/000_002.mp4"
    assert list((tmp_path / "out").rglob("*/000_002.mp4/*.png"))
    lossy.write_bytes(b"")
    result = prepare_dataset(masked_source, tmp_path / "out", spec=SPEC, redo=["mask: other length"], execution=HERE)
    assert result.skipped == {"empty file": 1}
    assert not list((tmp_path / "out").rglob("*/000_002.mp4/*.png"))


def test_a_fake_is_prepared_anew_with_the_original_whose_boxes_it_takes(masked_source, tmp_path, monkeypatch):
    real = masked_source / "original_sequences/youtube/c23/videos/000.mp4"
    whole = real.read_bytes()
    prepare_dataset(masked_source, tmp_path / "whole", spec=SPEC, execution=HERE)
    real.write_bytes(b"")
    alone = prepare_dataset(masked_source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert (alone.skipped, alone.boxes) == ({"empty file": 1}, {"own: no face in the original": 2})
    real.write_bytes(whole)
    result = prepare_dataset(masked_source, tmp_path / "out", spec=SPEC, redo=["empty file"], execution=HERE)
    assert (result.skipped, result.boxes) == ({}, {"original": 2})
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_shards_give_what_one_run_gives(masked_source, tmp_path):
    prepare_dataset(masked_source, tmp_path / "whole", spec=SPEC, execution=HERE)
    (masked_source / "original_sequences/youtube/c23/videos/007.mp4").write_bytes(b"")
    prepare_dataset(masked_source, tmp_path / "alone", spec=SPEC, execution=HERE)
    out = tmp_path / "out"
    for number in (2, 1):
        done = prepare_shard(masked_source, out, shard=Shard(number, 2), spec=SPEC, execution=HERE)
        expected = (1, {"empty file": 1}) if number == 2 else (3, {"mask: other length": 1})
        assert (done.num_sources, done.skipped) == expected
    assert not (out / "manifest.parquet").exists()
    result = merge_shards(masked_source, out, total=2, spec=SPEC)
    assert result.skipped == {"empty file": 1}
    alone = {name: data for name, data in files_of(tmp_path / "alone").items() if not name.startswith(STATE)}
    assert {name: data for name, data in files_of(out).items() if not name.startswith(STATE)} == alone


def test_merging_is_refused_while_a_shard_is_not_done(masked_source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    prepare_shard(masked_source, out, shard=Shard(2, 2), spec=SPEC, execution=HERE)
    with pytest.raises(PrepareError, match=r"not all shards are done: 1/2 \(3 of 3 files left\); run each of these"):
        merge_shards(masked_source, out, total=2, spec=SPEC)
    interrupted_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        prepare_shard(masked_source, out, shard=Shard(1, 2), spec=SPEC, execution=HERE)
    with pytest.raises(PrepareError, match=r"1/2 \(2 of 3 files left\)"):
        merge_shards(masked_source, out, total=2, spec=SPEC)
    assert not (out / "manifest.parquet").exists()


def test_merging_is_refused_while_a_shard_still_runs(masked_source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    for number in (1, 2):
        prepare_shard(masked_source, out, shard=Shard(number, 2), spec=SPEC, execution=HERE)
    script = (
        "import sys, pathlib\n"
        "from realface.core.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('locked', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with Popen([sys.executable, "-c", script, out / STATE / "2-of-2"], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(PrepareError, match=r"shard 2/2 still runs: another process is writing in"):
            merge_shards(masked_source, out, total=2, spec=SPEC)
        with pytest.raises(OutputExistsError, match="another process is writing in"):
            prepare_shard(masked_source, out, shard=Shard(2, 2), spec=SPEC, execution=HERE)
        other.communicate("")
    assert merge_shards(masked_source, out, total=2, spec=SPEC).num_crops == 6


def test_another_number_of_shards_is_refused(masked_source, tmp_path):
    prepare_shard(masked_source, tmp_path / "out", shard=Shard(1, 2), spec=SPEC, execution=HERE)
    with pytest.raises(OutputExistsError, match=r"another preparation: it was begun with shards 2, and 3 is asked for"):
        prepare_shard(masked_source, tmp_path / "out", shard=Shard(1, 3), spec=SPEC, execution=HERE)


def test_shards_that_begin_other_things_at_the_same_moment_are_refused(masked_source, tmp_path, monkeypatch):
    other, look, looks = SPEC.model_copy(update={"margin": 0.5}), pipeline._require_own_output, []

    def begin_first():
        return prepare_shard(masked_source, tmp_path / "out", shard=Shard(1, 2), spec=SPEC, execution=HERE)

    def at_the_same_moment(*given):
        """The folder is still empty at the first look; by the second the other shard has begun."""
        look(*given)
        looks.append(given)
        if len(looks) == 1:
            monkeypatch.setattr(pipeline, "_require_own_output", look)
            begin_first()

    monkeypatch.setattr(pipeline, "_require_own_output", at_the_same_moment)
    with pytest.raises(OutputExistsError, match=r"its crops have margin 0\.3, and 0\.5 is asked for"):
        prepare_shard(masked_source, tmp_path / "out", shard=Shard(2, 2), spec=other, execution=HERE)
    assert begin_first().num_sources == 3  # whose folder it stays


def test_a_merge_before_any_shard_settles_nothing(masked_source, tmp_path):
    with pytest.raises(PrepareError, match="not all shards are done"):
        merge_shards(masked_source, tmp_path / "out", total=2, spec=SPEC)
    prepare_shard(masked_source, tmp_path / "out", shard=Shard(1, 3), spec=SPEC, execution=HERE)


def test_two_files_that_would_share_a_folder_of_crops_are_refused(tmp_path, source, monkeypatch):
    from realface.datasets.plain import PlainReader

    whole = PlainReader.scan

    def doubled(self, root):
        inventory = whole(self, root)
        inventory.items.append(replace(inventory.items[0], source=root / "elsewhere" / inventory.items[0].source.name))
        return inventory

    monkeypatch.setattr(PlainReader, "scan", doubled)
    with pytest.raises(DatasetError, match=r"broken\.jpg and .*elsewhere/broken\.jpg are one video by data set"):
        prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def masked_source(tmp_path):
    """FaceForensics++'s folders: two fakes of a portrait, the second one's mask a frame short."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = np.asarray(Image.open(file).convert("RGB").resize((256, 300)))
    marked = np.zeros_like(portrait)
    marked[:150] = 255
    root = tmp_path / "study"
    write_video(root / "original_sequences/youtube/c23/videos/000.mp4", [portrait] * 2)
    for name, num_masks in (("000_001.mp4", 2), ("000_002.mp4", 1)):
        write_video(root / "manipulated_sequences/Swap/c23/videos" / name, [portrait] * 2)
        write_video(root / "manipulated_sequences/Swap/masks/videos" / name, [marked] * num_masks)
    return root


def test_masks_of_fakes_are_cut_and_those_that_do_not_fit_are_counted_and_named(masked_source, tmp_path):
    result = prepare_dataset(masked_source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert (result.num_crops, result.num_masks) == (6, 2)
    assert (result.skipped, result.skipped_masks) == ({}, {"other length": 1})
    manifest = Manifest.read(result.manifest)
    assert manifest.header.skipped == {"mask: other length": 1}
    masks = dict(zip(manifest.column("video"), manifest.column("mask"), strict=True))
    assert masks["000"] is None
    assert masks["000_002"] is None
    assert read_image(manifest.root / masks["000_001"]).shape == (32, 32, 3)
    with (tmp_path / "out" / "skipped.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["source"], row["reason"]) == (
        "manipulated_sequences/Swap/c23/videos/000_002.mp4",
        "mask: other length",
    )
    assert "has 1 frames but" in row["text"]


def test_worker_processes_cut_the_same_masks_as_none(masked_source, tmp_path):
    for name, workers in (("alone", 0), ("shared", 2)):
        prepare_dataset(
            masked_source, tmp_path / name, spec=SPEC, execution=ExecutionSettings(workers=workers, quiet=True)
        )
    alone = files_of(tmp_path / "alone")
    assert alone == files_of(tmp_path / "shared")
    assert sum(name.endswith(".png") for name in alone) == 6 + 2


def test_a_mask_that_is_gone_afterwards_is_found_by_the_check(masked_source, tmp_path):
    manifest = Manifest.read(prepare_dataset(masked_source, tmp_path / "out", spec=SPEC, execution=HERE).manifest)
    assert not any(fault.kind.startswith("missing") for fault in check_manifest(manifest))
    (manifest.root / next(filter(None, manifest.column("mask")))).unlink()
    assert "missing mask" in {fault.kind for fault in check_manifest(manifest)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"spec": SPEC.model_copy(update={"margin": 0.5})}, "its crops have margin 0.3, and 0.5 is asked for"),
        ({"source": "other"}, "it was begun with source .*, and .*other' is asked for"),
    ],
)
def test_going_on_with_other_settings_is_refused(source, tmp_path, change, text):
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    shutil.copytree(source, tmp_path / "other")
    folder = tmp_path / "other" if "source" in change else source
    with pytest.raises(OutputExistsError, match=f"holds another preparation: {text}"):
        prepare_dataset(folder, tmp_path / "out", spec=change.get("spec", SPEC), execution=HERE)


def test_going_on_with_records_of_another_realface_is_refused(source, tmp_path, monkeypatch):
    prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    monkeypatch.setattr("realface.prepare.pipeline.FORMAT", 4)
    with pytest.raises(OutputExistsError, match="another preparation: it was begun with format 3, and 4 is asked for"):
        prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)


def test_going_on_after_the_source_changed_is_refused(source, tmp_path, monkeypatch):
    interrupted_after(0, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    (source / "fake" / "broken.jpg").rename(source / "real" / "broken.jpg")
    with pytest.raises(OutputExistsError, match="files were added, removed or renamed in the source folder since"):
        prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)


def test_an_output_folder_with_something_in_it_is_refused_and_left_alone(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="exists and is not empty"):
        prepare_dataset(source, tmp_path / "out", spec=SPEC, execution=HERE)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_missing_source_folder_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"source folder .*nowhere does not exist"):
        prepare_dataset(tmp_path / "nowhere", tmp_path / "out", spec=SPEC, execution=HERE)


def test_a_dataset_without_any_file_is_refused(tmp_path):
    (tmp_path / "in" / "real").mkdir(parents=True)
    with pytest.raises(DatasetError):
        prepare_dataset(tmp_path / "in", tmp_path / "out", spec=SPEC, execution=HERE)
    with pytest.raises(DatasetError, match="is a plain dataset but contains no video and no image"):
        prepare_dataset(tmp_path / "in", tmp_path / "out", spec=SPEC, dataset="plain", execution=HERE)
    assert not (tmp_path / "out").exists()


def test_a_spec_that_cannot_be_followed_here_is_refused_before_any_work(source, tmp_path):
    spec = SPEC.model_copy(update={"face_detector": "other"})
    with pytest.raises(CropSpecError, match="unknown face detector 'other'"):
        prepare_dataset(source, tmp_path / "out", spec=spec, execution=HERE)
    assert not (tmp_path / "out").exists()
