import json

import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.dfdc import DfdcReader


@pytest.fixture
def study(build_tree, tmp_path):
    return build_tree("dfdc", tmp_path / "dfdc")


def scan(root):
    return DfdcReader().scan(root)


def add(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write_metadata(root, entries, part="dfdc_train_part_0"):
    (root / part / "metadata.json").write_text(json.dumps(entries))


def item_named(found, video):
    (item,) = (item for item in found.items if item.video == video)
    return item


def test_a_whole_study_is_found_and_nothing_is_missing(study):
    found = scan(study)
    assert found.missing == []
    assert found.counts == {
        "real videos, train": 2,
        "fake videos, train": 2,
        "real videos, test": 1,
        "fake videos, test": 1,
    }
    assert {item.dataset for item in found.items} == {"dfdc"}


def test_labels_come_from_the_lists_where_1_is_fake(study):
    assert {item.video: (item.label, item.split) for item in scan(study).items} == {
        "aaa": (Label.REAL, "train"),
        "bbb": (Label.FAKE, "train"),
        "ccc": (Label.REAL, "train"),
        "ddd": (Label.FAKE, "train"),
        "eee": (Label.REAL, "test"),
        "fff": (Label.FAKE, "test"),
    }


def test_a_fake_names_its_original_and_nobody_is_known(study):
    found = scan(study)
    assert item_named(found, "bbb").original == "aaa"
    assert item_named(found, "fff").original is None
    assert {(item.method, item.identities) for item in found.items} == {(None, ())}


def test_split_and_original_may_be_absent(study):
    write_metadata(study, {"aaa.mp4": {"label": "REAL", "original": None}, "bbb.mp4": {"label": "FAKE"}})
    found = scan(study)
    assert (item_named(found, "bbb").split, item_named(found, "bbb").original) == ("train", None)
    assert item_named(found, "aaa").original is None


def test_parts_come_in_natural_order(study):
    (study / "dfdc_train_part_0").rename(study / "dfdc_train_part_10")
    assert [item.video for item in scan(study).items][:4] == ["ccc", "ddd", "aaa", "bbb"]


def test_parts_may_lie_in_the_folder_of_their_archive(study):
    (study / "dfdc_train_part_00").mkdir()
    (study / "dfdc_train_part_0").rename(study / "dfdc_train_part_00" / "dfdc_train_part_0")
    found = scan(study)
    assert found.missing == []
    assert item_named(found, "aaa").source == study / "dfdc_train_part_00" / "dfdc_train_part_0" / "aaa.mp4"


def test_the_labels_of_the_test_videos_may_lie_at_the_top(study):
    (study / "test" / "labels.csv").rename(study / "labels.csv")
    assert scan(study).missing == []


def test_a_video_without_a_label_is_left_out_and_named(study):
    add(study, "dfdc_train_part_0/zzz.mp4", "test/yyy.mp4")
    found = scan(study)
    assert len(found.items) == 6
    assert found.counts["videos left out: without a label"] == 2
    assert found.missing == [
        "dfdc_train_part_0/metadata.json: the labels of 1 of 3 videos, which are left out, such as zzz.mp4",
        "test/labels.csv: the labels of 1 of 3 videos, which are left out, such as yyy.mp4",
    ]


def test_without_their_lists_no_videos_are_used(study):
    (study / "dfdc_train_part_0" / "metadata.json").unlink()
    (study / "test" / "labels.csv").unlink()
    found = scan(study)
    assert [item.video for item in found.items] == ["ccc", "ddd"]
    assert found.counts["videos left out: without a label"] == 4
    assert found.missing == [
        "dfdc_train_part_0/metadata.json: the labels of 2 videos, which are left out",
        "test/labels.csv: the labels of 2 videos, which are left out",
    ]


def test_training_parts_alone_and_test_videos_alone_are_enough(study):
    (study / "test").rename(study / "elsewhere")
    assert DfdcReader().list_missing(study) == []
    assert scan(study).missing == ["test: no test videos"]
    (study / "elsewhere").rename(study / "test")
    for part in (0, 1):
        (study / f"dfdc_train_part_{part}").rename(study / f"part_{part}")
    assert DfdcReader().list_missing(study) == []
    assert scan(study).missing == ["dfdc_train_part_<N>: no training videos"]


def test_one_video_in_two_parts_is_refused(study):
    write_metadata(study, {"aaa.mp4": {"label": "REAL"}}, part="dfdc_train_part_1")
    add(study, "dfdc_train_part_1/aaa.mp4")
    with pytest.raises(
        DatasetError, match=r"part_0/aaa\.mp4 and dfdc_train_part_1/aaa\.mp4 are one video by their name"
    ):
        scan(study)


def test_an_unknown_split_is_refused(study):
    write_metadata(study, {"aaa.mp4": {"label": "REAL", "split": "rest"}})
    with pytest.raises(DatasetError, match=r"json: aaa\.mp4: split must be train or val or test, got 'rest'"):
        scan(study)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("eee.mp4,0\n", r"labels\.csv: expected the header filename,label, got 'eee\.mp4,0'"),
        ("", r"labels\.csv: expected the header filename,label, got ''"),
        ("filename,label\neee.mp4,0\nfff.mp4,FAKE\n", r"labels\.csv:3: label must be 0 .* or 1 \(fake\), got 'FAKE'"),
        ("filename,label\neee.mp4\n", r"labels\.csv:2: label must be 0 \(real\) or 1 \(fake\), got None"),
        ("filename,label\neee.mp4,0\neee.mp4,1\n", r"labels\.csv:3: names eee\.mp4 twice; restore the file"),
    ],
)
def test_labels_of_another_form_are_refused(study, text, fault):
    (study / "test" / "labels.csv").write_text(text)
    with pytest.raises(DatasetError, match=fault):
        scan(study)
