import json

import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.dfdc_preview import DfdcPreviewReader


@pytest.fixture
def study(build_tree, tmp_path):
    return build_tree("dfdc_preview", tmp_path / "preview")


def scan(root):
    return DfdcPreviewReader().scan(root)


def change_list(root, change):
    file = root / "dataset.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


def item_named(found, video, method=None):
    (item,) = (item for item in found.items if (item.video, item.method) == (video, method))
    return item


def test_one_video_name_in_both_methods_is_two_videos(study):
    found = scan(study)
    a, b = (item_named(found, "10/10_A/30_10_A_001", method) for method in ("method_A", "method_B"))
    assert {a.label, b.label} == {Label.FAKE}
    assert a.source != b.source


def test_label_and_split_are_those_of_the_list(study):
    assert [(item.video, item.label, item.split) for item in scan(study).items] == [
        ("10/10_A_001", Label.REAL, "train"),
        ("20/20_A_001", Label.REAL, "test"),
        ("10/10_A/30_10_A_001", Label.FAKE, "train"),
        ("10/10_A/30_10_A_001", Label.FAKE, "train"),
        ("20/20_A/40_20_A_001", Label.FAKE, "test"),
    ]


def test_identities_are_known_where_the_list_gives_them(study):
    def name_identities(entries):
        entries["method_A/10/10_A/30_10_A_001.mp4"] |= {"target_id": 10, "swapped_id": 30}
        entries["original_videos/10/10_A_001.mp4"] |= {"target_id": 10, "swapped_id": None}
        return entries

    change_list(study, name_identities)
    found = scan(study)
    assert item_named(found, "10/10_A/30_10_A_001", "method_A").identities == ("10", "30")
    assert item_named(found, "10/10_A_001").identities == ("10",)
    assert item_named(found, "20/20_A_001").identities == ()


def test_a_list_with_back_slashes_is_understood(study):
    change_list(study, lambda entries: {name.replace("/", "\\"): entry for name, entry in entries.items()})
    found = scan(study)
    assert found.missing == []
    assert item_named(found, "20/20_A_001").split == "test"


def test_videos_that_the_list_does_not_name_are_kept_without_a_split_and_counted(study):
    (study / "method_B" / "new.mp4").touch()
    found = scan(study)
    assert item_named(found, "new", "method_B").split is None
    assert found.counts["videos in no split"] == 1


def test_without_the_list_labels_are_those_of_the_folders_and_nothing_has_a_split(study):
    (study / "dataset.json").unlink()
    found = scan(study)
    assert [item.label for item in found.items] == [Label.REAL] * 2 + [Label.FAKE] * 3
    assert {item.split for item in found.items} == {None}
    assert found.missing == ["dataset.json, which says what is test and what train; nothing has a split without it"]


def test_a_list_with_the_labels_the_wrong_way_round_is_refused(study):
    def swapped(entries):
        other = {"real": "fake", "fake": "real"}
        return {name: entry | {"label": other[entry["label"]]} for name, entry in entries.items()}

    change_list(study, swapped)
    with pytest.raises(DatasetError, match=r"10_A_001\.mp4 is called fake, but videos in original_videos are not"):
        scan(study)


def test_a_listed_video_in_another_folder_is_refused(study):
    change_list(study, lambda entries: entries | {"method_C/x.mp4": {"label": "fake", "set": "train"}})
    with pytest.raises(
        DatasetError, match=r"method_C/x\.mp4 is in none of the folders original_videos, method_A, meth"
    ):
        scan(study)


def test_an_unknown_set_is_refused(study):
    change_list(study, lambda entries: {name: entry | {"set": "val"} for name, entry in entries.items()})
    with pytest.raises(DatasetError, match=r"10_A_001\.mp4: set must be train or test, got 'val'"):
        scan(study)
