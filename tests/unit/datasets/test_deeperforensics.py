from pathlib import Path

import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets import deeperforensics
from realface.datasets.deeperforensics import VARIANTS, DeeperForensicsReader
from realface.datasets.reader import SourceVideo
from realface.manifest.leaks import find_leaks
from realface.manifest.manifest import Manifest


@pytest.fixture
def study(build_tree, tmp_path, monkeypatch):
    monkeypatch.setattr(deeperforensics, "VARIANTS", ("end_to_end", "end_to_end_level_1"))
    return build_tree("deeperforensics", tmp_path / "DeeperForensics-1.0")


def scan(root):
    return DeeperForensicsReader().scan(root)


def item_named(found, video, method=None):
    (item,) = (item for item in found.items if (item.video, item.method) == (video, method))
    return item


def test_a_fake_shows_target_and_actor_and_has_the_target_as_original(study):
    found = scan(study)
    for variant in ("end_to_end", "end_to_end_level_1"):
        fake = item_named(found, "000_M004", variant)
        assert (fake.label, fake.identities, fake.original) == (Label.FAKE, ("000", "M004"), "000")
        assert (fake.dataset, fake.split, fake.compression) == ("deeperforensics", "train", None)


def test_the_source_videos_are_real_and_show_the_actor_of_their_folder(study):
    real = item_named(scan(study), "M004/BlendShape/camera_front/M004_BlendShape_camera_front")
    assert (real.label, real.identities, real.split, real.original) == (Label.REAL, ("M004",), None, None)


def test_source_videos_of_one_name_of_two_actors_are_two_videos(study):
    for actor in ("M004", "W101"):
        (study / "source_videos" / actor / "a.mp4").touch()
    found = scan(study)
    assert item_named(found, "M004/a").identities == ("M004",)
    assert item_named(found, "W101/a").identities == ("W101",)


def test_one_fakes_variants_are_in_one_split(study):
    assert {item.split for item in scan(study).items if item.video == "001_W101"} == {"test"}


@pytest.mark.parametrize(
    "line", ["000_M004", "end_to_end/000_M004.mp4", "manipulated_videos\\end_to_end\\000_M004.mp4", "./000_M004.mp4\r"]
)
def test_a_split_file_may_name_a_fake_with_its_folders_and_without_suffix(study, line):
    (study / "lists/splits/train.txt").write_text(f"\n{line}\n")
    found = scan(study)
    assert (item_named(found, "000_M004", "end_to_end").split, found.missing) == ("train", [])


def test_fakes_in_no_split_are_kept_without_and_counted(study):
    (study / "lists/splits/train.txt").write_text("")
    found = scan(study)
    assert item_named(found, "000_M004", "end_to_end").split is None
    assert found.counts["fake videos in no split"] == 2


def test_missing_split_files_variants_and_source_videos_are_named(study):
    (study / "lists/splits/val.txt").unlink()
    (study / "manipulated_videos/end_to_end_level_1").rename(study / "elsewhere")
    (study / "source_videos").rename(study / "reals")
    assert scan(study).missing == [
        "lists/splits/val.txt, the list of the val videos",
        "source_videos: no videos",
        "manipulated_videos: 1 of the release's 2 variants: end_to_end_level_1",
    ]


def test_the_release_has_eleven_variants():
    assert len(set(VARIANTS)) == 11


def test_a_folder_that_the_release_does_not_have_is_a_variant_too(study):
    (study / "manipulated_videos/mine").mkdir()
    (study / "manipulated_videos/mine/000_M004.mp4").touch()
    assert item_named(scan(study), "000_M004", "mine").split == "train"


def test_videos_in_no_variants_folder_are_left_out_and_named(study):
    (study / "manipulated_videos/000_M004.mp4").touch()
    found = scan(study)
    assert found.counts["videos left out: in no variant's folder"] == 1
    assert found.missing == ["manipulated_videos: the variant of 1 videos, which are left out"]


def test_a_fake_in_two_splits_is_refused(study):
    (study / "lists/splits/val.txt").write_text("end_to_end_level_1/000_M004.mp4\n")
    with pytest.raises(
        DatasetError, match=r"val\.txt: 000_M004 is in the train split already; list each video in one split only"
    ):
        scan(study)


def manifest_of(items, dataset=None):
    rows = [
        {
            "path": f"{number}.png",
            "label": int(item.label),
            "dataset": dataset or item.dataset,
            "split": item.split,
            "method": item.method,
            "video": item.video,
            "identities": list(item.identities),
            "original": item.original,
        }
        for number, item in enumerate(items)
    ]
    return Manifest.from_rows(rows, root=Path("/crops"))


def test_an_actor_in_two_splits_is_found(study):
    (study / "lists/splits/val.txt").write_text("002_W101.mp4\n")
    (study / "lists/splits/test.txt").write_text("001_W101.mp4\n")
    leaks = find_leaks(manifest_of(scan(study).items))
    assert [(leak.kind, leak.name, leak.splits) for leak in leaks] == [("identity", "W101", ("val", "test"))]


def test_a_target_that_faceforensics_tests_on_is_found_once_both_are_one_data_set(study):
    ours = scan(study).items
    theirs = SourceVideo(Path("000.mp4"), Label.REAL, "faceforensics", "000", split="test", identities=("000",))
    assert find_leaks(manifest_of([*ours, theirs])) == []
    leaks = find_leaks(manifest_of([*ours, theirs], dataset="faceforensics"))
    assert [(leak.kind, leak.name, leak.splits) for leak in leaks] == [
        ("original", "000", ("train", "test")),
        ("identity", "000", ("train", "test")),
    ]
