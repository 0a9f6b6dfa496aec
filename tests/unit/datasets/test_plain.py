import numpy as np
import pytest

from realface.core.labels import Label
from realface.datasets.left_out import count_left_out
from realface.datasets.plain import EXPECTED, PlainReader
from realface.media.video_writing import write_video


def study(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def scan(root, *files):
    return PlainReader().scan(study(root, *files))


def test_real_and_fake_folders_give_labels_in_natural_order(tmp_path):
    found = scan(tmp_path / "mine", "real/b10.mp4", "real/b2.jpg", "fake/a.png")
    assert [(item.source.name, item.label) for item in found.items] == [
        ("a.png", Label.FAKE),
        ("b2.jpg", Label.REAL),
        ("b10.mp4", Label.REAL),
    ]
    assert {item.dataset for item in found.items} == {"mine"}
    assert {(item.split, item.method, item.identities, item.original) for item in found.items} == {
        (None, None, (), None)
    }
    assert found.counts == {"fake images": 1, "real images": 1, "real videos": 1}
    assert found.missing == []


def test_splits_above_and_numbered_classes_are_understood(tmp_path):
    found = scan(tmp_path, "train/0/a.mp4", "Val/1/a.mp4", "test/Real/a.mp4")
    assert {(item.split, item.label) for item in found.items} == {
        ("train", Label.REAL),
        ("val", Label.FAKE),
        ("test", Label.REAL),
    }


def test_the_first_folder_below_fake_is_the_method(tmp_path):
    found = scan(tmp_path, "fake/Deepfakes/deep/x.mp4", "fake/y.mp4", "real/youtube/z.mp4")
    assert {item.source.name: item.method for item in found.items} == {
        "x.mp4": "Deepfakes",
        "y.mp4": None,
        "z.mp4": None,
    }


def test_files_of_one_name_are_videos_of_their_own(tmp_path):
    found = scan(tmp_path, "train/real/1.mp4", "train/fake/1.mp4", "test/real/1.mp4", "train/real/sub/1.mp4")
    assert len({item.video for item in found.items}) == 4


def test_one_label_is_enough_and_the_other_is_named(tmp_path):
    assert PlainReader().list_missing(study(tmp_path, "real/a.mp4")) == []
    assert scan(tmp_path).missing == ["no fake images or videos"]


def test_files_in_no_label_folder_are_left_out_and_named(tmp_path):
    found = scan(tmp_path, "real/a.mp4", "fake/b.mp4", "extra/c.mp4", "extra/deep/d.png", "e.jpg", "train/f.mp4")
    assert len(found.items) == 2
    assert found.counts["left out: in no label folder"] == 4
    assert set(found.missing) == {
        f"extra/: 2 images or videos in no label folder were left out; expected a {EXPECTED}",
        f"the top folder: 1 images or videos in no label folder were left out; expected a {EXPECTED}",
        f"train/: 1 images or videos in no label folder were left out; expected a {EXPECTED}",
    }


def test_other_files_are_counted_and_hidden_ones_are_not(tmp_path):
    found = scan(tmp_path, "real/a.mp4", "fake/b.mp4", "fake/notes.txt", "README", "real/.DS_Store", ".git/x.png")
    assert found.counts == {"real videos": 1, "fake videos": 1}
    assert count_left_out(found) == {"other files (.txt)": 1, "other files (no usual suffix)": 1}


def test_a_video_without_a_suffix_is_found_by_its_content(tmp_path):
    (tmp_path / "real").mkdir()
    write_video(tmp_path / "real" / "a.mp4", [np.zeros((32, 32, 3), np.uint8)] * 2, fps=25)
    (tmp_path / "real" / "a.mp4").rename(tmp_path / "real" / "clip")
    (item,) = PlainReader().scan(tmp_path).items
    assert (item.source.name, item.video) == ("clip", "real/clip")


@pytest.mark.parametrize("files", [(), ("a.mp4",), ("deep/real/a.mp4",), ("real",)])
def test_without_a_label_folder_it_says_what_lacks(tmp_path, files):
    assert PlainReader().list_missing(study(tmp_path, *files)) == [EXPECTED]
    assert scan(tmp_path).items == []


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        *((name, "train") for name in ("training", "Train", "TRAINING")),
        *((name, "val") for name in ("valid", "validation", "Validation", "dev", "VAL")),
        *((name, "test") for name in ("testing", "Test")),
    ],
)
def test_every_spelling_of_a_split_is_that_split(tmp_path, folder, split):
    assert PlainReader().list_missing(study(tmp_path, f"{folder}/real/a.mp4")) == []
    found = scan(tmp_path)
    assert [(item.split, item.video) for item in found.items] == [(split, f"{folder}/real/a")]


def test_files_of_one_stem_are_videos_of_their_own(tmp_path):
    found = scan(tmp_path, "real/x.mp4", "real/x.png", "real/x.mov", "real/y.mp4", "real/z.mp4.mp4", "real/z.mp4")
    assert {item.source.name: item.video for item in found.items} == {
        "x.mp4": "real/x.mp4",
        "x.png": "real/x.png",
        "x.mov": "real/x.mov",
        "y.mp4": "real/y",
        "z.mp4": "real/z",
        "z.mp4.mp4": "real/z.mp4",
    }


def test_a_name_kept_whole_is_no_other_files_name(tmp_path):
    found = scan(tmp_path, "real/x.mp4", "real/x.png", "real/x.mp4.mp4")
    assert {item.source.name: item.video for item in found.items} == {
        name: f"real/{name}" for name in ("x.mp4", "x.png", "x.mp4.mp4")
    }


def test_a_folder_of_numbered_frames_is_one_video(tmp_path):
    videos = ("real/a", "real/b", "fake/Deepfakes/c")
    found = scan(tmp_path, *(f"{video}/{number:04d}.png" for video in videos for number in (1, 2, 10)), "real/d.mp4")
    assert [(item.video, item.frame, item.method) for item in found.items] == [
        *(("fake/Deepfakes/c", number, "Deepfakes") for number in (1, 2, 10)),
        *(("real/a", number, None) for number in (1, 2, 10)),
        *(("real/b", number, None) for number in (1, 2, 10)),
        ("real/d", None, None),
    ]
    assert found.counts == {
        "fake images": 3,
        "real images": 6,
        "real videos": 1,
        "fake videos that are folders of numbered images": 1,
        "real videos that are folders of numbered images": 2,
    }
    assert found.notes == [
        "the images of 3 folders with numbered names, such as fake/Deepfakes/c (3 images), count as one video each; if "
        "the images show different people, rename them, or move them into the folder real or fake itself"
    ]


def test_numbered_people_of_a_method_stay_separate_videos(tmp_path):
    found = scan(tmp_path, *(f"fake/{method}/{number:04d}.png" for method in ("FaceSwap", "e4e") for number in (1, 2)))
    assert [(item.video, item.frame, item.method) for item in found.items] == [
        *((f"fake/e4e/{number:04d}", None, "e4e") for number in (1, 2)),
        *((f"fake/FaceSwap/{number:04d}", None, "FaceSwap") for number in (1, 2)),
    ]
    assert found.notes == [
        "the images of 2 folders with numbered names, such as fake/e4e, count as 4 separate videos; if a folder "
        "contains the frames of one video, move it to real/ANY_NAME/VIDEO or fake/METHOD/VIDEO and number its frames "
        "from 0 or 1"
    ]


def test_fake_frames_in_a_folder_named_like_a_video_have_no_method(tmp_path):
    videos = ("real/a", "real/b", "fake/a", "fake/071_054", "fake/Deepfakes")
    found = scan(tmp_path, *(f"{video}/{number}.png" for video in videos for number in (1, 2)))
    assert {(item.video, item.method) for item in found.items} == {
        ("real/a", None),
        ("real/b", None),
        ("fake/a", None),
        ("fake/071_054", None),
        ("fake/Deepfakes/1", "Deepfakes"),
        ("fake/Deepfakes/2", "Deepfakes"),
    }
