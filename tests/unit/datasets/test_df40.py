import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.df40 import Df40Reader
from realface.datasets.registry import choose_reader

REALS = "the reals that the fakes in ff and cdf were made of, which are those of FaceForensics++ and Celeb-DF"
NOT_FACES = "left out: files in folders of masks and landmarks"


@pytest.fixture
def study(build_tree, tmp_path):
    return build_tree("df40", tmp_path / "study")


def add(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def scan(root):
    return Df40Reader().scan(root)


def item_named(found, video):
    (item,) = (item for item in found.items if item.video == video)
    return item


def test_a_whole_study_is_found(study):
    found = scan(study)
    assert {item.source.relative_to(study).as_posix(): item.video for item in found.items} == {
        "heygen/fake/anna": "heygen/fake/anna",
        "heygen/real/anna": "heygen/real/anna",
        "MidJourney/fake/1.png": "MidJourney/fake/1.png",
        "MidJourney/real/1.png": "MidJourney/real/1.png",
        "simswap/cdf/frames/id0_id1_0000": "simswap/cdf/id0_id1_0000",
        "simswap/ff/frames/071_054": "simswap/ff/071_054",
        "DF40_train/simswap/ff/frames/000_003": "simswap/ff/000_003",
    }
    assert found.counts == {
        "fake sequences, heygen/fake": 1,
        "real sequences, heygen/real": 1,
        "fake images, MidJourney/fake": 1,
        "real images, MidJourney/real": 1,
        "fake sequences, simswap/cdf": 1,
        "fake sequences, simswap/ff": 2,
        NOT_FACES: 2,
    }
    assert found.are_crops
    assert found.missing == [REALS]


def test_label_and_method_are_those_of_the_folders(study):
    found = scan(study)
    assert {item.video: (item.label, item.method, item.dataset) for item in found.items} == {
        "heygen/fake/anna": (Label.FAKE, "heygen", "df40"),
        "heygen/real/anna": (Label.REAL, None, "df40"),
        "MidJourney/fake/1.png": (Label.FAKE, "MidJourney", "df40"),
        "MidJourney/real/1.png": (Label.REAL, None, "df40"),
        "simswap/cdf/id0_id1_0000": (Label.FAKE, "simswap", "df40"),
        "simswap/ff/071_054": (Label.FAKE, "simswap", "df40"),
        "simswap/ff/000_003": (Label.FAKE, "simswap", "df40"),
    }


def test_what_is_in_df40_train_is_train_and_all_else_test(study):
    splits = {item.video: item.split for item in scan(study).items}
    assert splits.pop("simswap/ff/000_003") == "train"
    assert set(splits.values()) == {"test"}


def test_the_folder_of_training_data_may_be_given_by_itself(tmp_path):
    add(tmp_path / "DF40_train", "simswap/ff/000_003/000.png")
    assert choose_reader(tmp_path / "DF40_train").name == "df40"
    assert [item.split for item in scan(tmp_path / "DF40_train").items] == ["train"]


def test_both_halves_may_lie_side_by_side(tmp_path):
    add(tmp_path, "DF40/simswap/ff/071_054/000.png", "df40_train/simswap/FF/000_003/000.png")
    assert choose_reader(tmp_path).name == "df40"
    assert {item.video: item.split for item in scan(tmp_path).items} == {
        "simswap/ff/071_054": "test",
        "simswap/ff/000_003": "train",
    }


def test_names_of_faceforensics_and_celeb_df_show_target_and_source(study):
    found = scan(study)
    swapped = item_named(found, "simswap/ff/071_054")
    assert (swapped.identities, swapped.original) == (("071", "054"), "071")
    celebrity = item_named(found, "simswap/cdf/id0_id1_0000")
    assert (celebrity.identities, celebrity.original) == (("id0", "id1"), "id0_0000")


@pytest.mark.parametrize(
    "name",
    ["ff/frames/img_01", "ff/71_54", "ff/071", "ff/071_054_1", "ff/id0_id1_0000", "cdf/071_054", "fake/071_054"],
)
def test_other_names_show_nobody(tmp_path, name):
    add(tmp_path, f"sd2.1/{name}/000.png")
    (item,) = scan(tmp_path).items
    assert (item.identities, item.original) == ((), None)


def test_a_name_repeats_across_methods_and_sources_without_being_one_video(tmp_path):
    add(tmp_path, *(f"{method}/{part}/a/0.png" for method in ("simswap", "fsgan") for part in ("ff", "cdf", "real")))
    assert len({item.video for item in scan(tmp_path).items}) == 6


def test_images_in_no_folder_of_their_own_stand_for_themselves(tmp_path):
    add(tmp_path, "ddim/ff/10.png", "ddim/ff/9.png", "ddim/ff/9.jpg", "ddim/ff/frames/1.png", "ddim/cdf/a/b/1.png")
    assert [item.video for item in scan(tmp_path).items] == [
        "ddim/cdf/a/b",
        "ddim/ff/9.jpg",
        "ddim/ff/9.png",
        "ddim/ff/10.png",
        "ddim/ff/1.png",
    ]


def test_a_folder_within_a_folder_of_images_belongs_to_it(tmp_path):
    add(tmp_path, "ddim/ff/a/1.png", "ddim/ff/a/b/1.png", "ddim/ff/a/b/c/1.png", "ddim/ff/d/e/1.png")
    assert [item.video for item in scan(tmp_path).items] == ["ddim/ff/a", "ddim/ff/d/e"]


def test_a_video_in_train_and_test_is_named(study):
    add(study, "DF40_train/simswap/ff/071_054/000.png")
    found = scan(study)
    assert {item.split for item in found.items if item.video == "simswap/ff/071_054"} == {"train", "test"}
    assert found.missing == [
        "a clear split of 1 videos that are in train and test, such as simswap/ff/071_054",
        REALS,
    ]


def test_masks_landmarks_and_other_files_are_left_out_and_counted(study):
    add(study, "fsgan/ff/Masks/1.png", "fsgan/ff/a/masks/1.png", "fsgan/ff/a/1.png", "fsgan/ff/a/log.txt")
    add(study, "fsgan/ff/a/.hidden.png", "fsgan/ff/.cache/1.png")
    found = scan(study)
    assert found.counts["fake sequences, fsgan/ff"] == 1
    assert found.counts[NOT_FACES] == 4
    assert found.counts["left out: no images"] == 1


def test_what_is_no_method_not_unpacked_or_empty_is_named(study):
    add(study, "simswap.zip", "simswap/ff.zip", "simswap/notes/a.png", "dataset_json/a.json", "DF40_train/e4s.zip")
    (study / "fsgan" / "cdf").mkdir(parents=True)
    assert scan(study).missing == [
        "fsgan/cdf: no images",
        "2 folders, such as dataset_json, left out: in no folder ff, cdf, fake, real of a method",
        "2 archives, such as simswap.zip, are not unpacked",
        "1 archives, such as DF40_train/e4s.zip, are not unpacked",
        REALS,
    ]


def test_reals_are_missing_only_where_fakes_were_made_of_them(tmp_path):
    add(tmp_path, "StarGAN/fake/1.png", "StarGAN/real/1.png")
    assert choose_reader(tmp_path).name == "df40"
    assert scan(tmp_path).missing == []


def test_real_and_fake_in_unknown_folders_are_not_taken_for_it(tmp_path):
    add(tmp_path, "mine/fake/1.png", "mine/real/1.png")
    with pytest.raises(DatasetError, match=r"df40: missing <method>/ff or <method>/cdf, at the top or in DF40_train"):
        choose_reader(tmp_path)


def test_a_method_by_itself_is_plain_folders(study):
    assert choose_reader(study / "heygen").name == "plain"


def test_other_folders_of_real_and_fake_beside_its_own_are_not_read_as_methods(tmp_path):
    add(tmp_path, "DF40/simswap/ff/071_054/000.png", "mine/fake/1.png", "mine/real/1.png", "heygen/fake/2.png")
    found = scan(tmp_path)
    assert [item.video for item in found.items] == ["heygen/fake/2.png", "simswap/ff/071_054"]
    assert "1 folders, such as mine, left out" in found.missing[0]
