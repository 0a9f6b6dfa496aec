import json

import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.faceforensics import FaceForensicsReader

PAIRS = {"train": [["071", "054"]], "val": [["001", "002"]], "test": [["003", "004"]]}
METHODS = ("Deepfakes", "SelfBlend")


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def study(root, *, level="c23", splits="splits", pairs=PAIRS, masks=True):
    for a, b in (pair for split in PAIRS.values() for pair in split):
        for name in (a, b):
            touch(root / "original_sequences" / "youtube" / level / "videos" / f"{name}.mp4")
        for method in METHODS:
            for name in (f"{a}_{b}.mp4", f"{b}_{a}.mp4"):
                touch(root / "manipulated_sequences" / method / level / "videos" / name)
                if masks:
                    touch(root / "manipulated_sequences" / method / "masks" / "videos" / name)
    for split, listed in pairs.items():
        (root / splits).mkdir(parents=True, exist_ok=True)
        (root / splits / f"{split}.json").write_text(json.dumps(listed))
    return root


def scan(root):
    return FaceForensicsReader().scan(root)


def item_named(found, video, method=None):
    (item,) = (item for item in found.items if (item.video, item.method) == (video, method))
    return item


def test_a_whole_study_is_found_and_nothing_is_missing(tmp_path):
    found = scan(study(tmp_path))
    assert found.missing == []
    assert found.counts == {
        "real videos, youtube c23": 6,
        "fake videos, Deepfakes c23": 6,
        "fake videos, SelfBlend c23": 6,
    }
    assert len(found.items) == 18


def test_a_real_shows_the_identity_of_its_name(tmp_path):
    real = item_named(scan(study(tmp_path)), "071")
    assert (real.label, real.identities, real.original, real.mask) == (Label.REAL, ("071",), None, None)
    assert (real.dataset, real.split, real.compression) == ("faceforensics", "train", "c23")


def test_a_fake_shows_target_and_source_and_has_the_targets_video_as_original(tmp_path):
    fake = item_named(scan(study(tmp_path)), "004_003", "SelfBlend")
    assert (fake.label, fake.identities, fake.original) == (Label.FAKE, ("004", "003"), "004")
    assert (fake.split, fake.compression) == ("test", "c23")
    assert fake.mask == tmp_path / "manipulated_sequences" / "SelfBlend" / "masks" / "videos" / "004_003.mp4"


@pytest.mark.parametrize("place", ["splits", "dataset/splits", "."])
def test_split_files_are_found_in_all_three_places(tmp_path, place):
    found = scan(study(tmp_path, splits=place))
    assert item_named(found, "001").split == "val"
    assert found.missing == []


def test_c0_is_raw(tmp_path):
    assert {item.compression for item in scan(study(tmp_path, level="c0")).items} == {"raw"}


def test_several_compressions_are_all_read(tmp_path):
    study(tmp_path, level="c40")
    assert {item.compression for item in scan(study(tmp_path, level="raw")).items} == {"raw", "c40"}


def test_videos_in_no_split_are_kept_without_and_counted(tmp_path):
    study(tmp_path)
    touch(tmp_path / "original_sequences/youtube/c23/videos/999.mp4")
    touch(tmp_path / "manipulated_sequences/Deepfakes/c23/videos/071_001.mp4")  # both known, but no pair
    found = scan(tmp_path)
    assert item_named(found, "999").split is None
    assert item_named(found, "071_001", "Deepfakes").split is None
    assert found.counts["videos in no split"] == 2


def test_missing_split_files_are_named(tmp_path):
    found = scan(study(tmp_path, pairs={"train": PAIRS["train"]}))
    assert found.missing == [
        "val.json, the list of pairs, neither in splits/ nor dataset/splits/ nor at the top",
        "test.json, the list of pairs, neither in splits/ nor dataset/splits/ nor at the top",
    ]
    assert found.counts["videos in no split"] == 12


def test_missing_videos_and_masks_are_named(tmp_path):
    study(tmp_path)
    (tmp_path / "original_sequences/youtube/c23/videos/054.mp4").unlink()
    (tmp_path / "manipulated_sequences/Deepfakes/c23/videos/001_002.mp4").unlink()
    (tmp_path / "manipulated_sequences/SelfBlend/masks/videos/003_004.mp4").unlink()
    assert scan(tmp_path).missing == [
        "original_sequences/youtube/c23/videos: 1 of the 6 videos of the split files, such as 054",
        "manipulated_sequences/Deepfakes/c23/videos: 1 of the 6 videos of the split files, such as 001_002",
        "manipulated_sequences/SelfBlend/masks/videos: the masks of 1 of 6 c23 fakes",
    ]


def test_a_fake_without_its_mask_in_the_masks_folder_keeps_the_masks_place(tmp_path):
    study(tmp_path)
    masks = tmp_path / "manipulated_sequences" / "SelfBlend" / "masks" / "videos"
    (masks / "003_004.mp4").unlink()
    found = scan(tmp_path)
    assert item_named(found, "003_004", "SelfBlend").mask == masks / "003_004.mp4"
    assert found.missing == ["manipulated_sequences/SelfBlend/masks/videos: the masks of 1 of 6 c23 fakes"]


def test_without_the_masks_folder_no_fake_has_a_mask_and_that_is_named(tmp_path):
    found = scan(study(tmp_path, masks=False))
    assert {item.mask for item in found.items} == {None}
    assert found.missing == [
        f"manipulated_sequences/{method}/masks/videos: the masks of 6 of 6 c23 fakes" for method in METHODS
    ]


def test_reals_alone_are_enough_and_the_fakes_named(tmp_path):
    touch(tmp_path / "original_sequences/youtube/c23/videos/071.mp4")
    assert FaceForensicsReader().list_missing(tmp_path) == []
    assert "manipulated_sequences: no videos" in scan(tmp_path).missing


def test_deepfakedetection_is_a_dataset_of_its_own_all_of_it_test(tmp_path):
    study(tmp_path)
    touch(tmp_path / "original_sequences/actors/c23/videos/01__walking.mp4")
    touch(tmp_path / "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walking__ABC.mp4")
    found = scan(tmp_path)
    real = item_named(found, "01__walking")
    fake = item_named(found, "01_02__walking__ABC", "DeepFakeDetection")
    assert (real.dataset, real.split, real.identities) == ("deepfakedetection", "test", ("01",))
    assert (fake.dataset, fake.split, fake.identities, fake.original) == (
        "deepfakedetection",
        "test",
        ("01", "02"),
        "01__walking",
    )


def test_an_identity_in_two_split_files_is_refused(tmp_path):
    with pytest.raises(
        DatasetError, match=r"val\.json: 071 is in the train split already; list each pair in one split only"
    ):
        scan(study(tmp_path, pairs=PAIRS | {"val": [["071", "002"]]}))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", r"val\.json: not JSON"),
        ('{"a": 1}', r"val\.json: expected a list of pairs"),
        ('["071"]', r'val\.json: expected a list of pairs such as \[\["071", "054"\]\]'),
        ("[[1, 2]]", r"val\.json: expected a list of pairs"),
    ],
)
def test_a_split_file_that_is_none_is_refused(tmp_path, text, fault):
    study(tmp_path)
    (tmp_path / "splits" / "val.json").write_text(text)
    with pytest.raises(DatasetError, match=fault):
        scan(tmp_path)
