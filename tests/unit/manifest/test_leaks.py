import pytest

from realface.core.errors import LeakError
from realface.manifest.leaks import find_leaks, require_no_leaks
from realface.manifest.manifest import Manifest


def manifest_of(*rows, **common):
    return Manifest.from_rows(
        [{"path": f"{i}.png", "label": 0, **common, **row} for i, row in enumerate(rows)], root="crops"
    )


def found(manifest):
    return [str(leak) for leak in find_leaks(manifest)]


def test_splits_without_anything_in_common_have_no_leak():
    assert find_leaks(manifest_of({"video": "a", "split": "train"}, {"video": "b", "split": "test"})) == []
    assert find_leaks(manifest_of()) == []


def test_a_video_in_two_splits_is_a_leak_whatever_its_compression_and_method():
    manifest = manifest_of(
        {"video": "071_054", "split": "train", "compression": "c23", "method": "Deepfakes"},
        {"video": "071_054", "split": "test", "compression": "c40", "method": "FaceSwap"},
        dataset="faceforensics",
    )
    assert found(manifest) == ["video 071_054 is in train and test (dataset faceforensics)"]


def test_the_same_image_in_two_splits_is_a_leak_whatever_its_names_and_data_sets():
    manifest = manifest_of(
        {"sha256": "x", "split": "test", "video": "a", "dataset": "one"},
        {"sha256": "x", "split": "train", "video": "b", "dataset": "two"},
        {"sha256": "y", "split": "train", "video": "c"},
        {"sha256": "y", "split": "train", "video": "d"},
    )
    assert found(manifest) == ["image 0.png is in train and test"]


def test_a_fake_and_its_original_in_two_splits_are_a_leak():
    manifest = manifest_of(
        {"video": "071", "split": "train"}, {"video": "071_054", "original": "071", "split": "val", "label": 1}
    )
    assert found(manifest) == ["video 071, itself and as the original of fakes, is in train and val"]


def test_an_identity_in_three_splits_is_one_leak():
    manifest = manifest_of(
        {"video": "a", "identities": ["071", "054"], "split": "train"},
        {"video": "b", "identities": ["071"], "split": "val"},
        {"video": "c", "identities": ["071"], "split": "test"},
        {"video": "d", "split": "test"},
        dataset="faceforensics",
    )
    assert found(manifest) == ["identity 071 is in train and val and test (dataset faceforensics)"]


def test_names_are_compared_within_a_dataset_and_rows_without_split_leak_nothing():
    manifest = manifest_of(
        {"dataset": "x", "video": "1", "identities": ["1"], "split": "train"},
        {"dataset": "y", "video": "1", "identities": ["1"], "split": "test"},
        {"dataset": "x", "video": "1", "identities": ["1"]},
    )
    assert find_leaks(manifest) == []


def test_without_a_video_the_source_file_counts_and_then_the_path():
    assert found(manifest_of({"source": "s.mp4", "split": "a"}, {"source": "s.mp4", "split": "b"})) == [
        "video s.mp4 is in a and b"
    ]
    assert found(manifest_of({"path": "same.png", "split": "a"}, {"path": "same.png", "split": "b"})) == [
        "video same.png is in a and b"
    ]


def test_require_no_leaks_names_three_and_counts_the_rest():
    rows = [{"video": f"v{i}", "split": split} for i in range(5) for split in ("train", "val")]
    with pytest.raises(
        LeakError, match=r"^data: video v0 is in train and val; video v1 .*; video v2 .*, and 2 more; split again by"
    ):
        require_no_leaks(manifest_of(*rows), where="data")
    require_no_leaks(manifest_of({"video": "a", "split": "train"}), where="data")


def test_an_allowed_kind_is_returned_and_not_refused():
    manifest = manifest_of(
        {"video": "071", "identities": ["071"], "split": "train"},
        {"video": "071_054", "original": "071", "identities": ["071", "054"], "split": "val", "label": 1},
    )
    with pytest.raises(LeakError, match=r"`realface manifest split`, or, to train on a published split unchanged, set"):
        require_no_leaks(manifest, where="data")
    leaks = require_no_leaks(manifest, where="data", allowed=("original", "identity"))
    assert [(leak.kind, leak.name) for leak in leaks] == [("original", "071"), ("identity", "071")]


def test_a_video_itself_in_two_splits_is_never_of_the_kind_that_published_splits_share():
    manifest = manifest_of(
        {"video": "071", "split": "train"},
        {"video": "071", "split": "val"},
        {"video": "071_054", "original": "071", "split": "val", "label": 1},
    )
    assert [leak.kind for leak in find_leaks(manifest)] == ["video"]
    with pytest.raises(LeakError, match=r"video 071 is in train and val; split again by identity with [^,]*$"):
        require_no_leaks(manifest, where="data", allowed=("original", "identity"))
