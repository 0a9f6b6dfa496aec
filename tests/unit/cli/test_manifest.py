import json
import tarfile

import lmdb
import numpy as np
import pytest
from typer.testing import CliRunner

from realface.cli.manifest import app
from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, ManifestError, MissingInputError, OutputExistsError
from realface.manifest.leaks import find_leaks
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def patches(seed, size=256):
    """An image of 8 x 8 patches of different colours."""
    coarse = np.random.default_rng(seed).integers(0, 240, (8, 8, 3)).astype(np.uint8)
    return coarse.repeat(size // 8, axis=0).repeat(size // 8, axis=1)


def written(path, *rows, crop=None):
    header = ManifestHeader(crop=crop or CropSpec())
    rows = [{"path": f"{i}.png", "label": i % 2, **row} for i, row in enumerate(rows)]
    Manifest.from_rows(rows, root=path.parent, header=header).write(path)
    return path


def test_show_counts_rows_videos_and_identities(tmp_path):
    rows = [{"video": "a", "identities": ["1", "2"], "split": "train"}, {"video": "a", "method": "DF"}, {"video": "b"}]
    file = written(tmp_path / "m.parquet", *rows)
    text = run("show", file).stdout
    assert "splits:       train (1 real, 0 fake), none (1 real, 1 fake)" in text
    assert "methods:      none 2, DF 1" in text
    document = json.loads(run("show", file, "--json").stdout)
    assert (document["rows"], document["videos"], document["identities"]) == (3, 3, 2)
    assert document["splits"] == {"train": {"real": 1, "fake": 0}, "none": {"real": 1, "fake": 1}}
    assert document["crops"] == CropSpec().describe()


def test_check_ends_with_0_when_sound(tmp_path):
    file = written(tmp_path / "m.csv", {"video": "a"}, {"video": "b"})
    result = run("check", file, "--no-files")
    assert result.exit_code == 0
    assert result.stdout == f"no split: 1 real (1 video), 1 fake (1 video)\n{file}: 2 rows, sound\n"


def test_check_counts_crops_and_videos_of_every_split(tmp_path):
    rows = [{"video": f"v{i // 6}", "split": "train" if i < 18 else "val"} for i in range(24)]
    file = written(tmp_path / "m.csv", *rows)
    assert run("check", file, "--no-files").stdout.splitlines()[:2] == [
        "train: 9 real (3 videos), 9 fake (3 videos)",
        "val:   3 real (1 video), 3 fake (1 video)",
    ]
    document = json.loads(run("check", file, "--no-files", "--json").stdout)
    assert document["splits"]["val"] == {"real": {"crops": 3, "videos": 1}, "fake": {"crops": 3, "videos": 1}}


def test_check_finds_crops_that_look_the_same_unless_told_not_to(tmp_path):
    rows = [{"split": split} for split in ("train", "train", "test", "test")]
    for row, seed in enumerate([0, 1, 0, 2]):
        write_image(tmp_path / f"{row}.png", patches(seed) + np.uint8(row))
    file = written(tmp_path / "m.csv", *rows)
    result = run("check", file, "--workers", "0")
    assert result.exit_code == 1
    assert "fault: near-identical: 0.png (train, row 1) looks like 2.png (test, row 3)\n" in result.stdout
    assert "check crops: 4/4 files" in result.stderr
    assert run("check", file, "--no-similar").exit_code == 0
    result = run("check", file, "--json")
    assert json.loads(result.stdout)["faults"][0]["rows"] == [0, 2]
    assert result.stderr == ""


def test_check_ends_with_1_and_names_the_faults(tmp_path):
    file = written(
        tmp_path / "m.csv",
        {"identities": ["071"], "dataset": "ff", "split": "train"},
        {"identities": ["071"], "dataset": "ff", "split": "test"},
    )
    result = run("check", file)
    assert result.exit_code == 1
    assert "fault: leak: identity 071 is in train and test (dataset ff)\n" in result.stdout
    assert f"fault: missing file: 2 of 2 rows have no file: crops 0.png, 1.png in {tmp_path}\n" in result.stdout
    assert result.stdout.endswith(": 2 rows, 2 faults\n")
    document = json.loads(run("check", file, "--json").stdout)
    assert [fault["kind"] for fault in document["faults"]] == ["missing file", "leak"]
    assert document["faults"][0]["rows"] == [0, 1]


def test_check_shows_a_few_faults_of_each_kind(tmp_path):
    rows = [{"path": f"{i}", "label": 0} for i in range(7)] * 2
    result = run("check", written(tmp_path / "m.csv", *rows), "--no-files")
    assert result.stdout.count("fault: repeated path: ") == 6
    assert "fault: repeated path: and 2 more; --json lists all" in result.stdout
    assert result.stdout.endswith("14 rows, 7 faults\n")


def test_check_takes_a_root(tmp_path):
    (tmp_path / "base").mkdir()
    write_image(tmp_path / "base" / "a.png", patches(0))
    (tmp_path / "list.json").write_text('[{"path": "a.png", "label": 0}]')
    assert run("check", tmp_path / "list.json").exit_code == 1
    assert run("check", tmp_path / "list.json", "--root", tmp_path / "base").exit_code == 0


def test_split_writes_a_manifest_without_leaks(tmp_path):
    file = written(tmp_path / "m.parquet", *({"video": f"v{i // 2}"} for i in range(20)))
    result = run("split", file, "--out", tmp_path / "s.jsonl", "--fractions", "train=0.5, test=0.5", "--seed", 3)
    assert result.exit_code == 0
    split = Manifest.read(tmp_path / "s.jsonl")
    assert sorted(split.column("split")) == ["test"] * 10 + ["train"] * 10
    assert find_leaks(split) == []
    assert split.header.crop == CropSpec()


@pytest.mark.parametrize(
    ("fractions", "fault"),
    [
        ("train=x", "--fractions: expected NAME=SHARE,... such as train=0.8,test=0.2, got 'train=x'"),
        ("train=0.5,train=0.5", "--fractions: missing or repeated name of a split"),
        ("=1", "--fractions: missing or repeated name of a split"),
        ("train=0.5", "fractions of splits must be positive and add up to 1"),
    ],
)
def test_split_refuses_fractions_that_cannot_be(tmp_path, fractions, fault):
    result = run("split", written(tmp_path / "m.csv", {}, {}), "--out", tmp_path / "s.csv", "--fractions", fractions)
    assert isinstance(result.exception, ManifestError)
    assert fault in str(result.exception)
    assert not (tmp_path / "s.csv").exists()


def test_merge_keeps_the_order_and_finds_both_folders(tmp_path):
    files = [written(tmp_path / name / "m.csv", {}) for name in "ba"]
    assert run("merge", *files, "--out", tmp_path / "both.parquet").exit_code == 0
    both = Manifest.read(tmp_path / "both.parquet")
    assert [both.file_of(row) for row in range(2)] == [tmp_path / "b" / "0.png", tmp_path / "a" / "0.png"]


def test_merge_refuses_crops_made_in_two_ways(tmp_path):
    files = [written(tmp_path / f"{margin}.csv", {}, crop=CropSpec(margin=margin)) for margin in (0.3, 0.5)]
    assert isinstance(run("merge", *files, "--out", tmp_path / "both.csv").exception, CropSpecError)


def test_merge_says_which_crops_make_the_whole_unknown(tmp_path):
    known, unknown = written(tmp_path / "known.csv", {}), written(tmp_path / "theirs.csv", {}, crop=CropSpec.unknown())
    result = run("merge", known, unknown, "--out", tmp_path / "both.csv")
    assert f"warning: the crop settings of {unknown} are unknown, so the crop settings of the" in result.stderr
    assert run("merge", known, known, "--out", tmp_path / "same.csv").stderr == ""
    assert run("merge", unknown, unknown, "--out", tmp_path / "theirs-twice.csv").stderr == ""


def test_convert_to_another_place_and_format_finds_the_same_files(tmp_path):
    file = written(tmp_path / "m.parquet", {"box": [0, 1, 2, 3]})
    assert run("convert", file, tmp_path / "lists" / "m.json").exit_code == 0
    back = Manifest.read(tmp_path / "lists" / "m.json")
    assert back.table.equals(Manifest.read(file).table)
    assert back.file_of(0) == tmp_path / "0.png"


def test_convert_reads_a_list_that_is_named_or_recognised(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.png").touch()
    (tmp_path / "list.txt").write_text("a.png 1\ngone.png 0\n")
    for form in ([], ["--from", "fsfm"]):
        result = run(
            "convert", tmp_path / "list.txt", tmp_path / "m.csv", *form, "--root", tmp_path / "faces", "--force"
        )
        assert result.exit_code == 0
        assert "warning: 1 of 2 crops are not below" in result.stderr
        assert Manifest.read(tmp_path / "m.csv").file_of(0) == tmp_path / "faces" / "a.png"
    result = run("convert", tmp_path / "list.txt", tmp_path / "n.csv", "--from", "recce")
    assert "list.txt is damaged or not what torch.save writes" in str(result.exception)
    assert not (tmp_path / "n.csv").exists()


def test_convert_names_data_set_and_split_where_the_list_does_not(tmp_path):
    rows = [{"path": "a.png", "label": 0, "split": "val"}, {"path": "b.png", "label": 1}]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    result = run("convert", tmp_path / "list.json", tmp_path / "m.parquet", "--dataset", "mine", "--split", "train")
    assert result.exit_code == 0
    manifest = Manifest.read(tmp_path / "m.parquet")
    assert (manifest.column("split"), manifest.column("dataset")) == (["val", "train"], ["mine", "mine"])


def test_convert_writes_rffr_s_list(tmp_path):
    file = written(tmp_path / "m.parquet", {"box": [0, 1, 2, 3]})
    assert run("convert", file, tmp_path / "r.json", "--rffr").exit_code == 0
    assert json.loads((tmp_path / "r.json").read_text()) == [{"path": "0.png", "label": 0}]
    assert run("convert", file, tmp_path / "w.json", "--rffr", "--absolute").exit_code == 0
    assert json.loads((tmp_path / "w.json").read_text()) == [{"path": str(tmp_path / "0.png"), "label": 0}]


def test_convert_tells_of_rffr_s_list_what_it_holds(tmp_path):
    file = written(tmp_path / "m.parquet", *[{"split": "train", "method": "DF"}] * 3)
    assert run("convert", file, tmp_path / "r.json", "--rffr").stdout.splitlines() == [
        f"file:         {tmp_path / 'r.json'}",
        "rows:         3",
        "labels:       real 2, fake 1",
        f"relative to:  {tmp_path}",
    ]
    document = json.loads(run("convert", file, tmp_path / "w.json", "--rffr", "--absolute", "--json").stdout)
    assert document == {"file": str(tmp_path / "w.json"), "rows": 3, "labels": {"real": 2, "fake": 1}}


def test_convert_writes_one_split_alone(tmp_path):
    file = written(tmp_path / "m.parquet", {"split": "train"}, {"split": "test"}, {"split": "train"}, {})
    assert run("convert", file, tmp_path / "r.json", "--rffr", "--only", "train").exit_code == 0
    assert [row["path"] for row in json.loads((tmp_path / "r.json").read_text())] == ["0.png", "2.png"]
    assert run("convert", file, tmp_path / "m.csv", "--only", "test").exit_code == 0
    assert Manifest.read(tmp_path / "m.csv").column("path") == ["1.png"]
    result = run("convert", file, tmp_path / "v.csv", "--only", "val")
    assert isinstance(result.exception, ManifestError)
    assert "has no row of the split 'val'; its splits: test, train" in str(result.exception)
    assert not (tmp_path / "v.csv").exists()


def test_convert_refuses_options_of_rffr_s_list_for_other_files(tmp_path):
    file = written(tmp_path / "m.parquet", {})
    result = run("convert", file, tmp_path / "m.csv", "--rffr")
    assert result.exit_code == 2
    assert "RFFR's lists end in .json" in result.stderr
    result = run("convert", file, tmp_path / "m.json", "--absolute")
    assert result.exit_code == 2
    assert "--absolute requires --rffr" in result.stderr


def tar_keys(path):
    with tarfile.open(path) as tar:
        return list(dict.fromkeys(name.partition(".")[0] for name in tar.getnames()))


def test_convert_writes_shards(tmp_path):
    file = written(tmp_path / "m.csv", *[{}] * 5)
    for row in range(5):
        write_image(tmp_path / f"{row}.png", patches(row, 16))
    result = run("convert", file, tmp_path / "all.tar", "--json")
    document = json.loads(result.stdout)
    assert (document["shards"], document["first"]) == (1, str(tmp_path / "all.tar"))
    assert tar_keys(tmp_path / "all.tar") == [f"{row:09d}" for row in range(5)]
    assert run("convert", file, tmp_path / "s-%02d.tar", "--shard-size", "2", "--shuffle", "1").exit_code == 0
    shards = sorted(tmp_path.glob("s-*.tar"))
    assert [path.name for path in shards] == ["s-00.tar", "s-01.tar", "s-02.tar"]
    keys = [key for path in shards for key in tar_keys(path)]
    assert sorted(keys) == [f"{row:09d}" for row in range(5)]
    assert keys != sorted(keys)


def test_convert_replaces_shards_only_with_force_and_leaves_none_of_the_older(tmp_path):
    file = written(tmp_path / "m.csv", *[{}] * 4)
    for row in range(4):
        write_image(tmp_path / f"{row}.png", patches(row, 16))
    out = tmp_path / "s-%d.tar"
    assert run("convert", file, out, "--shard-size", "1").exit_code == 0
    result = run("convert", file, out, "--shard-size", "2")
    assert isinstance(result.exception, OutputExistsError)
    text = f"{tmp_path}/s-0.tar and 3 more shards exist; choose another name, or pass --force to replace the shards"
    assert str(result.exception) == text
    assert run("convert", file, out, "--shard-size", "2", "--force").exit_code == 0
    assert sorted(path.name for path in tmp_path.glob("s-*")) == ["s-0.tar", "s-1.tar"]


@pytest.mark.parametrize(
    ("out", "option", "fault"),
    [
        ("m.csv", "--shuffle", "--shuffle requires OUT.tar or OUT-%06d.tar"),
        ("m.tar", "--shard-size", "--shard-size requires several shards: OUT-%06d.tar"),
    ],
)
def test_convert_refuses_options_of_shards_for_other_files(tmp_path, out, option, fault):
    result = run("convert", written(tmp_path / "a.csv", {}), tmp_path / out, option, "1")
    assert result.exit_code == 2
    assert fault in result.stderr


def test_an_existing_output_is_replaced_only_with_force(tmp_path):
    file, out = written(tmp_path / "m.csv", {}), written(tmp_path / "out.csv", {}, {})
    result = run("convert", file, out)
    assert isinstance(result.exception, OutputExistsError)
    assert "exists; choose another name, or pass --force to replace it" in str(result.exception)
    assert len(Manifest.read(out)) == 2
    assert run("convert", file, out, "--force").exit_code == 0
    assert len(Manifest.read(out)) == 1


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    file, folder = written(tmp_path / "m.csv", {}), tmp_path / "folder.csv"
    folder.mkdir()
    for arguments in (["show", folder], ["convert", file, folder, "--force"], ["split", file, "--out", folder]):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "is a directory" in result.stderr


def test_a_single_shard_that_exists_is_named(tmp_path):
    (tmp_path / "all.tar").touch()
    result = run("convert", written(tmp_path / "m.csv", {}), tmp_path / "all.tar")
    assert str(result.exception).startswith(f"{tmp_path}/all.tar exists; choose another name, or pass --force")


def test_an_empty_manifest_is_shown_and_found_unfit(tmp_path):
    file = tmp_path / "m.csv"
    file.write_text("path,label\n")
    document = json.loads(run("show", file, "--json").stdout)
    assert (document["rows"], document["videos"], document["splits"]) == (0, 0, {})
    result = run("check", file)
    assert result.exit_code == 1
    assert result.stdout.startswith("fault: no rows: ")


def test_a_missing_file_is_an_input_error(tmp_path):
    assert isinstance(run("show", tmp_path / "gone.csv").exception, MissingInputError)


def deepfakebench_set(tmp_path):
    """A list of two frames, and the LMDB with the first of them."""
    frames = [f"S/fakes/frames/a/{name}.png" for name in ("000", "001")]
    videos = {"a": {"label": "S_fake", "frames": frames}}
    (tmp_path / "set.json").write_text(json.dumps({"S": {"S_fake": {"test": videos}}}))
    with lmdb.open(str(tmp_path / "S_lmdb")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"S\\fakes/frames/a/000.png", b"stored")
    return tmp_path / "set.json", tmp_path / "S_lmdb"


def test_convert_unpacks_the_frames_that_an_lmdb_holds_and_counts_the_others(tmp_path):
    listed, stored = deepfakebench_set(tmp_path)
    result = run("convert", listed, tmp_path / "m.parquet", "--lmdb", stored, "--unpack", tmp_path / "out")
    assert result.exit_code == 0
    assert "skipped:      not in the LMDB 1\n" in result.stdout
    assert "note:         S: 1 of 2 listed frames are there, with 0 masks of fakes and 0 files" in result.stdout
    manifest = Manifest.read(tmp_path / "m.parquet")
    assert [manifest.file_of(row).read_bytes() for row in range(len(manifest))] == [b"stored"]
    again = run("convert", listed, tmp_path / "n.parquet", "--lmdb", stored, "--unpack", tmp_path / "out")
    assert isinstance(again.exception, OutputExistsError)


@pytest.mark.parametrize(
    ("options", "out", "fault"),
    [
        (["--lmdb", "LMDB"], "m.csv", "--lmdb requires --unpack, the folder for the frames, and --unpack"),
        (["--unpack", "OUT"], "m.csv", "--lmdb requires --unpack, the folder for the frames, and --unpack"),
        (["--lmdb", "LMDB", "--unpack", "OUT", "--from", "rffr"], "m.csv", "a list of DeepfakeBench, got --from rffr"),
        (
            ["--lmdb", "LMDB", "--unpack", "OUT", "--root", "OUT"],
            "m.csv",
            "--root cannot be combined with --lmdb; the frames",
        ),
        (["--lmdb", "LMDB", "--unpack", "OUT"], "m.txt", "a manifest ends in .parquet, .json, .jsonl, .csv, got"),
    ],
)
def test_convert_refuses_options_that_do_not_go_with_an_lmdb(tmp_path, options, out, fault):
    listed, stored = deepfakebench_set(tmp_path)
    places = {"LMDB": stored, "OUT": tmp_path / "out"}
    result = run("convert", listed, tmp_path / out, *(places.get(option, option) for option in options))
    assert result.exit_code == 2
    assert fault in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_part_of_the_training_split_is_held_back_and_the_test_split_stays(tmp_path):
    rows = [{"video": f"v{i}", "split": "test" if i >= 20 else "train"} for i in range(24)]
    file, out = written(tmp_path / "m.csv", *rows), tmp_path / "split.csv"
    result = run("split", file, "--out", out, "--of", "train", "--fractions", "train=0.9,val=0.1")
    assert result.exit_code == 0
    splits = Manifest.read(out).column("split")
    assert splits[20:] == ["test"] * 4
    assert (splits.count("train"), splits.count("val")) == (18, 2)


def test_what_is_held_back_must_be_said(tmp_path):
    file = written(tmp_path / "m.csv", {"split": "train"}, {"split": "test"})
    result = run("split", file, "--out", tmp_path / "split.csv", "--of", "train")
    assert result.exit_code == 2
    assert "--of train needs --fractions, such as train=0.9,val=0.1" in result.stderr
    assert not (tmp_path / "split.csv").exists()
