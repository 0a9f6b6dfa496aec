"""A small tree of every dataset, for the tests of its reader and for the one that tells all datasets apart.

To add one: write its builder, which fills the folder `root` with the exact folders, and decorate it with `tree_of`.
Files may be empty: readers do not open videos.
"""

import json

import pytest

TREES = {}


def tree_of(name):
    """Register the builder of the small tree of the dataset `name`."""

    def register(build):
        TREES[name] = build
        return build

    return register


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@tree_of("plain")
def plain(root):
    touch(root, "real/a.mp4", "fake/b.mp4")


@tree_of("faceforensics")
def faceforensics(root):
    touch(root, "original_sequences/youtube/c23/videos/071.mp4")
    touch(root, "manipulated_sequences/Deepfakes/c23/videos/071_054.mp4")
    for split, pairs in {"train": [["071", "054"]], "val": [], "test": []}.items():
        (root / f"{split}.json").write_text(json.dumps(pairs))


@tree_of("celeb_df")
def celeb_df(root):
    touch(root, *(f"Celeb-real/id{identity}_0000.mp4" for identity in (0, 1)))
    touch(root, *(f"Celeb-synthesis/{pair}_0000.mp4" for pair in ("id0_id1", "id1_id0")))
    touch(root, "YouTube-real/00170.mp4", "YouTube-real/00171.mp4")
    (root / "List_of_testing_videos.txt").write_text(
        "1 Celeb-real/id0_0000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n1 YouTube-real/00170.mp4\n"
    )


@tree_of("dfd")
def dfd(root):
    touch(root, "actors/c23/videos/01__kitchen_pan.mp4", "actors/c23/videos/02__kitchen_pan.mp4")
    for folder in ("c23", "masks"):
        touch(root, f"DeepFakeDetection/{folder}/videos/01_02__kitchen_pan__ABCDEFGH.mp4")


@tree_of("dfdc")
def dfdc(root):
    for part, (real, fake) in enumerate((("aaa", "bbb"), ("ccc", "ddd"))):
        folder = root / f"dfdc_train_part_{part}"
        touch(folder, f"{real}.mp4", f"{fake}.mp4")
        fake_entry = {"label": "FAKE", "split": "train", "original": f"{real}.mp4"}
        metadata = {f"{fake}.mp4": fake_entry, f"{real}.mp4": {"label": "REAL", "split": "train"}}
        (folder / "metadata.json").write_text(json.dumps(metadata))
    touch(root, "test/eee.mp4", "test/fff.mp4")
    (root / "test" / "labels.csv").write_text("filename,label\neee.mp4,0\nfff.mp4,1\n")


@tree_of("dfdc_preview")
def dfdc_preview(root):
    entries = {
        "original_videos/10/10_A_001.mp4": {"label": "real", "set": "train"},
        "original_videos/20/20_A_001.mp4": {"label": "real", "set": "test"},
        "method_A/10/10_A/30_10_A_001.mp4": {"label": "fake", "set": "train"},
        "method_B/10/10_A/30_10_A_001.mp4": {"label": "fake", "set": "train"},
        "method_B/20/20_A/40_20_A_001.mp4": {"label": "fake", "set": "test"},
    }
    touch(root, *entries)
    (root / "dataset.json").write_text(json.dumps(entries))


@tree_of("forgerynet")
def forgerynet(root):
    for folder, short in (("Training", "train"), ("Validation", "val")):
        touch(root / folder / "image", f"{short}_release/16/a.jpg", f"{short}_release/1/b.jpg")
        (root / folder / "image" / "list.txt").write_text(
            f"{short}_release/16/a.jpg 0 0 0\n{short}_release/1/b.jpg 1 1 1\n"
        )
        touch(root / folder / "video", f"{short}_video_release/17/c.mp4", f"{short}_video_release/3/d.mp4")
        (root / folder / "video" / "list.txt").write_text(
            f"1 {short}_video_release/17/c.mp4 0 2 0 0 0 0\n1 {short}_video_release/3/d.mp4 0 2 1 1 2 3\n"
        )


@tree_of("deeperforensics")
def deeperforensics(root):
    touch(root, "source_videos/M004/BlendShape/camera_front/M004_BlendShape_camera_front.mp4")
    touch(root, "source_videos/W101/light_up/happy/camera_left/W101_light_up_happy_camera_left.mp4")
    for variant in ("end_to_end", "end_to_end_level_1"):
        touch(root / "manipulated_videos" / variant, "000_M004.mp4", "001_W101.mp4", "002_W101.mp4")
    touch(root, *(f"lists/splits/{split}.txt" for split in ("train", "val", "test")))
    (root / "lists/splits/train.txt").write_text("000_M004.mp4\n")
    (root / "lists/splits/test.txt").write_text("001_W101.mp4\n002_W101.mp4\n")


@tree_of("ffiw")
def ffiw(root):
    for split, names in (("train", ("00001", "00002")), ("val", ("00001",))):
        for part in ("source", "target", "target_mask"):
            touch(root / part / split / "videos", *(f"{name}.mp4" for name in names))


@tree_of("wilddeepfake")
def wilddeepfake(root):
    touch(root, "real train/2.tar.gz", "real train/10.tar.gz", "real test/1.tar.gz", "fake test/1.tar.gz")
    touch(root, "fake_train/7/3/000.png", "fake_train/7/3/001.png")


@tree_of("df40")
def df40(root):
    for video in (
        "simswap/ff/frames/071_054",
        "simswap/cdf/frames/id0_id1_0000",
        "DF40_train/simswap/ff/frames/000_003",
    ):
        touch(root, *(f"{video}/{frame:03d}.png" for frame in range(2)))
    touch(root, "simswap/ff/masks/071_054/000.png", "simswap/ff/landmarks/071_054/000.npy")
    touch(
        root, "MidJourney/fake/1.png", "MidJourney/real/1.png", "heygen/fake/anna/000.png", "heygen/real/anna/000.png"
    )


# Datasets' builders go above this line.


@pytest.fixture
def build_tree():
    """`build_tree(name, root)` makes the small tree of a dataset in the folder `root`, which it gives back."""

    def build(name, root):
        root.mkdir(parents=True, exist_ok=True)
        TREES[name](root)
        return root

    return build


@pytest.fixture(params=TREES)
def dataset_tree(request, tmp_path, build_tree):
    """The name of each dataset in turn, and its small tree."""
    return request.param, build_tree(request.param, tmp_path / "study")


@pytest.fixture
def datasets_with_tree():
    return set(TREES)
