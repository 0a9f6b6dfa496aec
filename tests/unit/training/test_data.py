from dataclasses import replace

import pytest

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, LeakError, MissingInputError, TrainingError
from realface.manifest.manifest import Manifest
from realface.models import catalog
from realface.models.catalog import get_method
from realface.training.data import load_data
from realface.training.recipe import DataSection

PAIR = [("a", 0, "train"), ("b", 1, "train"), ("c", 0, "val"), ("d", 1, "val")]


def read(*manifests, method="tiny", **sections):
    return load_data(DataSection(manifests=list(manifests), **sections), get_method(method))


def test_rows_are_those_of_the_splits(write_faces):
    rows = read(write_faces())
    assert set(rows.train.column("split")) == {"train"}
    assert (len(rows.train), len(rows.val), set(rows.val.column("split"))) == (8, 8, {"val"})


def test_several_manifests_become_one(write_faces):
    first = write_faces("one")
    second = write_faces("two", [(f"other-{name}", *rest) for name, *rest in PAIR])
    rows = read(first, second)
    assert (len(rows.train), len(rows.val)) == (12, 12)
    assert all(rows.train.file_of(row).is_file() for row in range(12))


def test_filters_keep_the_rows_that_have_the_value(write_faces):
    rows = read(write_faces(), train={"filters": {"video": ["train-0", "train-1"]}})
    assert set(rows.train.column("video")) == {"train-0", "train-1"}


def test_artifact_learns_the_manifests_hash_and_rows(write_faces):
    path = write_faces()
    assert read(path).trained_on == [
        {
            "name": "faces/manifest.parquet",
            "sha256": Manifest.read(path).sha256(),
            "rows": 8,
            "crop": "mtcnn, margin 0.3, 16 px PNG, alignment none, face largest, 32 frames",
        }
    ]


def test_artifact_learns_which_of_its_crops_are_unknown(write_faces):
    known, unknown = write_faces("known"), write_faces("unknown", crop=CropSpec.unknown())
    assert [each["crop"].partition(",")[0] for each in read(known, unknown).trained_on] == ["mtcnn", "unknown"]


def test_crop_spec_is_the_manifests(write_faces):
    assert read(write_faces(crop=CropSpec(size=16, margin=0.5))).crop == CropSpec(size=16, margin=0.5)


def test_crops_made_in_two_ways_are_refused(write_faces):
    one = write_faces("one", crop=CropSpec(size=16))
    two = write_faces("two", crop=CropSpec(size=32))
    with pytest.raises(CropSpecError, match=r"two/manifest\.parquet contains crops made with .*32 px.*one/manifest"):
        read(one, two)


def test_two_ways_are_found_behind_an_unknown_manifest(write_faces):
    specs = {"a": CropSpec.unknown(), "b": CropSpec(size=16), "c": CropSpec(size=32)}
    with pytest.raises(CropSpecError, match=r"c/manifest\.parquet contains .*b/manifest\.parquet expects"):
        read(*(write_faces(folder, crop=spec) for folder, spec in specs.items()))


def test_unknown_crops_are_allowed_with_a_warning(write_faces, capsys):
    rows = read(write_faces(crop=CropSpec.unknown()))
    assert rows.crop.is_unknown
    assert capsys.readouterr().err.count("warning: how the crops of") == 1


def test_of_several_processes_only_the_first_warns(write_faces, capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    read(write_faces(crop=CropSpec.unknown()))
    assert capsys.readouterr().err == ""


def test_video_in_training_and_validation_is_refused(write_faces):
    path = write_faces(videos=[*PAIR, ("a", 0, "val")])
    with pytest.raises(LeakError, match="video a is in train and val"):
        read(path)


def test_an_identity_in_training_and_validation_is_refused(write_faces):
    path = write_faces(videos=[("a", 0, "train", "Ann"), ("b", 1, "train"), ("c", 0, "val", "Ann"), ("d", 1, "val")])
    with pytest.raises(LeakError, match="identity Ann is in train and val"):
        read(path)


def test_a_published_split_that_shares_people_and_originals_is_taken_told_and_recorded(write_faces, capsys):
    path = write_faces(videos=[("a", 0, "train", "Ann"), ("b", 1, "train"), ("c", 0, "val", "Ann"), ("d", 1, "val")])
    faces = Manifest.read(path)
    originals = ["a" if video == "d" else None for video in faces.column("video")]
    faces.with_column("original", originals).write(path)
    with pytest.raises(LeakError, match=r"on a published split unchanged, set data\.allow_identity_overlap: true"):
        read(path)
    assert read(path, allow_identity_overlap=True).origins == {"shared_by_splits": {"original": 1, "identity": 1}}
    assert "data.allow_identity_overlap: 1 identity and 1 original in two splits" in capsys.readouterr().err


def test_a_video_itself_may_not_stand_in_two_even_where_identities_may(write_faces):
    path = write_faces(videos=[*PAIR, ("a", 0, "val")])
    with pytest.raises(LeakError, match="video a is in train and val"):
        read(path, allow_identity_overlap=True)


def test_without_a_leak_nothing_is_recorded_of_an_overlap(write_faces, capsys):
    assert read(write_faces(), allow_identity_overlap=True).origins == {}
    assert "allow_identity_overlap" not in capsys.readouterr().err


def test_leak_into_the_test_split_is_refused_though_it_is_not_used(write_faces):
    with pytest.raises(LeakError, match="video a is in train and test"):
        read(write_faces(videos=[*PAIR, ("a", 0, "test")]))


def test_same_rows_in_training_and_validation_are_refused_whatever_their_split(write_faces):
    with pytest.raises(LeakError, match=r"video train-0 is in data\.train and data\.val"):
        read(write_faces(), val={"filters": {"split": "train"}})


def test_validation_on_the_test_split_is_refused_without_a_filter_too(write_faces):
    train, test = write_faces("one", PAIR[:2]), write_faces("two", [("e", 0, "test"), ("f", 1, "test")])
    with pytest.raises(TrainingError, match=r"data\.val: rows of the test split would choose the best step"):
        read(train={"manifests": [train]}, val={"manifests": [test], "filters": {}})


def test_filter_that_keeps_nothing_says_what_there_is(write_faces):
    with pytest.raises(TrainingError, match=r"data\.val: no row of .*'held'.*\(split holds test, train, val\)"):
        read(write_faces(), val={"filters": {"split": "held"}})


def test_training_on_one_class_is_refused_when_balanced(write_faces):
    path = write_faces(videos=[PAIR[0], *PAIR[2:]])
    with pytest.raises(TrainingError, match=r"data\.train: only reals here.*set data\.train\.sampling to all"):
        read(path)
    assert len(read(path, train={"filters": {"split": "train"}, "sampling": "all"}).train) == 2


def test_validation_on_one_class_is_refused(write_faces):
    with pytest.raises(TrainingError, match=r"data\.val: only reals here.*no metric can choose"):
        read(write_faces(videos=PAIR[:3]))


def test_missing_crops_are_named_and_counted(write_faces):
    path = write_faces()
    for frame in (0, 1):
        for video in ("train-0", "train-1"):
            (path.parent / "crops" / f"{video}-{frame}.png").unlink()
    with pytest.raises(MissingInputError, match=r"4 of 8 crops are missing: .*train-0-0\.png.* and 1 more"):
        read(path)


def test_missing_manifest_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"gone\.parquet"):
        read(tmp_path / "gone.parquet")


def test_fakes_without_a_pair_are_told(write_faces, capsys):
    path = write_faces(videos=PAIR)
    manifest = Manifest.read(path)
    manifest.with_column("original", ["a" if video == "b" else None for video in manifest.column("video")]).write(path)
    sampling = {"filters": {"split": "train"}, "sampling": "paired"}
    read(path, train=sampling)
    assert capsys.readouterr().err == ""
    originals = ["a", *[None] * (len(manifest) - 1)]
    manifest.with_column("original", ["a" if row == 2 else None for row in range(len(originals))]).write(path)
    read(path, train=sampling)
    assert "warning: data.train: 1 of 2 fakes name no real of theirs" in capsys.readouterr().err


REALS = "tiny-reals"


def test_fakes_are_left_out_and_counted_where_a_method_learns_from_reals_alone(write_faces, capsys):
    path = write_faces(videos=[*PAIR, ("e", 1, "train")])
    rows = read(path, method=REALS)
    assert (rows.train.column("video"), rows.val.column("video")) == (["a", "a"], ["c", "c"])
    assert rows.fakes_left_out == {"train": 4, "val": 2}
    assert rows.trained_on[0]["rows"] == 2
    assert capsys.readouterr().err.splitlines() == [
        "realface: data.train: 4 of 6 rows are fakes and are left out: tiny-reals learns from real faces alone",
        "realface: data.val: 2 of 4 rows are fakes and are left out: tiny-reals learns from real faces alone",
    ]


def test_reals_alone_are_enough_then_and_each_is_drawn_once_an_epoch(write_faces, capsys):
    rows = read(write_faces(videos=[PAIR[0], PAIR[2]]), method=REALS)
    assert (len(rows.train), len(rows.val), rows.sampling) == (2, 2, "all")
    assert rows.fakes_left_out == {"train": 0, "val": 0}
    assert capsys.readouterr().err == ""


def test_other_methods_leave_no_fake_out(write_faces):
    rows = read(write_faces())
    assert (rows.sampling, rows.fakes_left_out) == ("balanced", {})


@pytest.mark.parametrize(("section", "label", "split"), [("train", 0, "val"), ("val", 0, "train")])
def test_no_real_face_at_all_is_refused(write_faces, section, label, split):
    path = write_faces(videos=[("a", label, split), ("b", 1, section)])
    with pytest.raises(TrainingError, match=rf"data\.{section}: none of the 2 rows is real, and tiny-reals learns"):
        read(path, method=REALS)


def test_too_few_held_back_faces_for_the_score_are_refused(write_faces, monkeypatch, tiny_reals_method):
    choosy = replace(tiny_reals_method, real_only=replace(tiny_reals_method.real_only, fewest_faces=3))
    monkeypatch.setitem(catalog.METHODS, REALS, choosy)
    with pytest.raises(TrainingError, match=r"data\.val: 2 real faces are held back, .* tiny-reals needs at least 3"):
        read(write_faces(videos=PAIR), method=REALS)


def test_pairs_with_fakes_are_refused_where_there_are_none(write_faces):
    with pytest.raises(TrainingError, match=r"paired puts fakes beside reals, .* leave data\.train\.sampling out"):
        read(write_faces(), method=REALS, train={"filters": {"split": "train"}, "sampling": "paired"})


def test_crops_of_fakes_that_are_left_out_need_not_be_there(write_faces):
    path = write_faces(videos=PAIR)
    (path.parent / "crops" / "b-0.png").unlink()
    assert len(read(path, method=REALS).train) == 2


def test_leaks_and_test_rows_are_refused_among_reals_too(write_faces):
    with pytest.raises(LeakError, match="identity Ann is in train and val"):
        read(write_faces(videos=[("a", 0, "train", "Ann"), ("c", 0, "val", "Ann")]), method=REALS)
    train, test = write_faces("one", PAIR[:1]), write_faces("two", [("e", 0, "test")])
    with pytest.raises(TrainingError, match=r"data\.val: rows of the test split would choose"):
        read(train={"manifests": [train]}, val={"manifests": [test], "filters": {}}, method=REALS)
