import pytest

from realface.core.labels import Label
from realface.datasets.ffiw import FfiwReader


@pytest.fixture
def study(build_tree, tmp_path):
    return build_tree("ffiw", tmp_path / "FFIW10K")


def scan(root):
    return FfiwReader().scan(root)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def item_named(found, video):
    (item,) = (item for item in found.items if item.video == video)
    return item


def test_target_is_fake_and_source_is_real(study):
    labels = {item.source.relative_to(study).parts[0]: item.label for item in scan(study).items}
    assert labels == {"source": Label.REAL, "target": Label.FAKE}


def test_a_fakes_original_is_the_source_video_of_its_name_and_split(study):
    found = scan(study)
    fake = item_named(found, "target/val/00001")
    assert (fake.split, fake.method, fake.identities) == ("val", None, ())
    real = item_named(found, fake.original)
    assert (real.source, real.split) == (study / "source/val/videos/00001.mp4", "val")
    assert (real.original, real.mask) == (None, None)


def test_one_name_in_both_labels_and_splits_is_four_videos(study):
    names = [item.video for item in scan(study).items if item.source.stem == "00001"]
    assert names == ["source/train/00001", "source/val/00001", "target/train/00001", "target/val/00001"]


def test_a_fake_has_the_mask_of_its_name(study):
    fake = item_named(scan(study), "target/train/00002")
    assert fake.mask == study / "target_mask/train/videos/00002.mp4"


def test_the_folder_videos_may_be_absent_everywhere(tmp_path):
    for part in ("source", "target", "target_mask"):
        touch(tmp_path / part, "train/1.mp4", "val/2.mp4")
    assert FfiwReader().list_missing(tmp_path) == []
    found = scan(tmp_path)
    assert found.missing == []
    fake = item_named(found, "target/train/1")
    assert (fake.original, fake.mask) == ("source/train/1", tmp_path / "target_mask/train/1.mp4")


def test_masks_without_a_folder_videos_belong_to_fakes_with_one(study):
    for split in ("train", "val"):
        (study / "target_mask" / split / "videos").rename(study / "videos")
        (study / "target_mask" / split).rmdir()
        (study / "videos").rename(study / "target_mask" / split)
    found = scan(study)
    assert found.missing == []
    assert item_named(found, "target/val/00001").mask == study / "target_mask/val/00001.mp4"


def test_a_mask_that_is_not_in_the_masks_folder_is_named_and_its_place_kept(study):
    (study / "target_mask/train/videos/00002.mp4").unlink()
    found = scan(study)
    assert found.missing == ["target_mask/train: the masks of 1 of 2 fakes"]
    assert item_named(found, "target/train/00002").mask == study / "target_mask/train/videos/00002.mp4"


def test_without_the_masks_folder_no_fake_has_a_mask_and_that_is_named(study):
    (study / "target_mask").rename(study / "elsewhere")
    found = scan(study)
    assert {item.mask for item in found.items} == {None}
    assert found.missing == [
        "target_mask/train: the masks of 2 of 2 fakes",
        "target_mask/val: the masks of 1 of 1 fakes",
    ]


def test_a_folder_test_is_read_where_it_is_here(study):
    touch(study, "source/test/videos/9.mp4")
    assert item_named(scan(study), "source/test/9").split == "test"


def test_videos_in_no_splits_folder_are_left_out_and_named(study):
    touch(study, "target/extra/1.mp4", "target/2.mp4")
    found = scan(study)
    assert found.counts["videos left out: in no split's folder"] == 2
    assert found.missing == ["target: the split of 2 videos, which are left out; expected in train, val, test"]
