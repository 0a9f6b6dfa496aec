import numpy as np
import pytest

from realface.core.crop_spec import CropSpec
from realface.manifest.checks import check_manifest, manifest_notes
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image


def manifest_of(*rows, root=".", crop=None):
    header = ManifestHeader(crop=crop or CropSpec(size=32))
    return Manifest.from_rows(
        [{"path": f"{i}.png", "label": 0, **row} for i, row in enumerate(rows)], root=root, header=header
    )


def noise(seed, height=32, width=32):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def faults_of(manifest, **options):
    return [(fault.kind, fault.text, fault.rows) for fault in check_manifest(manifest, **options)]


def test_a_sound_manifest_has_no_faults_and_no_notes(tmp_path):
    pairs = [(label, split) for label in (0, 1) for split in ("a", "b")]
    rows = [
        {"label": label, "split": split, "sha256": f"{label}{split}", "video": f"{label}{split}"}
        for label, split in pairs
    ]
    for i in range(4):
        write_image(tmp_path / f"{i}.png", noise(i))
    manifest = manifest_of(*rows, root=tmp_path)
    assert faults_of(manifest) == []
    assert manifest_notes(manifest) == []


def test_missing_crops_and_masks_are_counted_and_the_first_named(tmp_path):
    write_image(tmp_path / "0.png", noise(0))
    manifest = manifest_of({"mask": "m.png"}, {}, {}, {}, {}, root=tmp_path)
    assert faults_of(manifest) == [
        (
            "missing file",
            f"4 of 5 rows have no file: crops 1.png, 2.png, 3.png and 1 more in {tmp_path}",
            (1, 2, 3, 4),
        ),
        ("missing mask", f"1 of 5 rows have no file: masks m.png in {tmp_path}", (0,)),
    ]
    assert faults_of(manifest, files=False) == []


def test_a_manifest_without_rows_is_a_fault():
    assert [fault.kind for fault in check_manifest(manifest_of())] == ["no rows"]


def test_a_path_twice_is_a_fault_and_with_both_labels_another():
    manifest = manifest_of({"path": "a"}, {"path": "b"}, {"path": "a"}, {"path": "b", "label": 1})
    assert faults_of(manifest, files=False) == [
        ("repeated path", "a is in 2 rows (1, 3)", (0, 2)),
        ("two labels", "b is real in one row and fake in another", (1, 3)),
    ]


def test_the_same_content_in_two_splits_or_with_two_labels_is_a_fault():
    manifest = manifest_of(
        {"sha256": "x", "split": "test"},
        {"sha256": "x", "split": "train"},
        {"sha256": "y", "split": "train"},
        {"sha256": "y", "split": "train", "label": 1},
    )
    assert faults_of(manifest, files=False) == [
        ("two labels", "the same image is real in one row and fake in another: 2.png, 3.png", (2, 3)),
        ("leak", "image 0.png is in train and test", ()),
    ]


def test_the_same_content_within_a_split_is_a_note():
    manifest = manifest_of({"sha256": "x", "label": 1}, {"sha256": "x", "label": 1}, {})
    assert faults_of(manifest, files=False) == []
    assert manifest_notes(manifest) == [
        "3 of 3 rows have no video name, so each counts as a separate video",
        "the same image 2 times: 0.png, 1.png",
    ]


def test_leaks_are_faults_that_name_the_identity():
    manifest = manifest_of(
        {"identities": ["071"], "split": "train", "dataset": "faceforensics"},
        {"identities": ["071"], "split": "test", "dataset": "faceforensics"},
    )
    assert faults_of(manifest, files=False) == [
        ("leak", "identity 071 is in train and test (dataset faceforensics)", ())
    ]


def test_one_class_only_rows_without_split_and_unknown_crops_are_notes():
    rows = [{"path": "a", "label": 1, "split": "train"}, {"path": "b", "label": 0, "split": None}]
    assert manifest_notes(Manifest.from_rows(rows, root=".")) == [
        "split train has no real faces; most metrics need both",
        "the rows without a split contain no fake faces",
        "1 of 2 rows are in no split",
        "2 of 2 rows have no video name, so each counts as a separate video",
        "the crop settings are unknown",
    ]


def test_of_many_repeated_images_the_first_are_noted():
    manifest = manifest_of(*({"sha256": f"{i // 2}"} for i in range(10)))
    assert manifest_notes(manifest)[2:] == [
        "the same image 2 times: 0.png, 1.png",
        "the same image 2 times: 2.png, 3.png",
        "the same image 2 times: 4.png, 5.png",
        "2 more images are repeated within a split",
    ]


def test_damaged_and_blank_crops_are_faults(tmp_path):
    (tmp_path / "0.png").write_text("no image")
    write_image(tmp_path / "1.png", np.zeros((32, 32, 3), np.uint8))
    write_image(tmp_path / "2.png", noise(2))
    manifest = manifest_of({}, {}, {}, root=tmp_path)
    (damaged, blank) = check_manifest(manifest)
    assert (damaged.kind, damaged.rows) == ("unreadable file", (0,))
    assert f"{tmp_path}/0.png is not a picture that can be read" in damaged.text
    text = "1 of 3 crops show a single colour and no face: 1.png"
    assert (blank.kind, blank.text, blank.rows) == ("blank crop", text, (1,))
    assert [fault.kind for fault in check_manifest(manifest, similar=False)] == ["unreadable file"]


def test_crops_of_other_sizes_than_the_header_s_are_faults(tmp_path):
    for row, size in enumerate([(32, 32), (40, 30), (16, 16), (40, 30)]):
        write_image(tmp_path / f"{row}.png", noise(row, *size))
    text = "3 of 4 crops are not 32 x 32 pixels, as in the header, but 30 x 40 (2), 16 x 16 (1): 1.png, 2.png, 3.png"
    for similar in (True, False):
        assert faults_of(manifest_of({}, {}, {}, {}, root=tmp_path), similar=similar) == [
            ("mixed crops", text, (1, 2, 3))
        ]


def test_crops_from_elsewhere_of_several_sizes_are_faults(tmp_path):
    for row, size in enumerate([16, 20, 20, 20]):
        write_image(tmp_path / f"{row}.png", noise(row, size, size))
    text = "1 of 4 crops are not 20 x 20 pixels, like most, but 16 x 16 (1): 0.png"
    manifest = manifest_of({}, {}, {}, {}, root=tmp_path, crop=CropSpec.unknown())
    assert faults_of(manifest) == [("mixed crops", text, (0,))]
    assert faults_of(manifest.take([1, 2, 3])) == []


@pytest.mark.parametrize(("quality", "suffix", "words"), [(None, ".jpg", "JPEG PNG"), (90, ".png", "PNG JPEG")])
def test_crops_of_another_file_format_than_the_header_s_are_faults(tmp_path, quality, suffix, words):
    other = {".jpg": ".png", ".png": ".jpg"}[suffix]
    for row, name in enumerate([f"0{other}", f"1{suffix}"]):
        write_image(tmp_path / name, noise(row))
    stored, said = words.split()
    manifest = manifest_of(
        {"path": f"0{other}"}, {"path": f"1{suffix}"}, root=tmp_path, crop=CropSpec(size=32, jpeg_quality=quality)
    )
    text = f"1 of 2 crops are {stored}, but the header specifies {said}: 1{suffix}"
    assert faults_of(manifest) == [("mixed crops", text, (1,))]


def test_images_that_look_the_same_in_two_splits_are_a_fault_of_their_videos(tmp_path):
    for row in range(4):
        write_image(tmp_path / f"{row}.png", np.clip(noise(row % 2) * 0.9 + row, 0, 255).astype(np.uint8))
    rows = [{"split": split, "video": video} for split, video in (("test", "a"), ("test", "a"))] + [
        {"split": "train", "video": "b"}
    ] * 2
    text = "2.png (train, row 3) looks like 0.png (test, row 1), and 2 more crops of their videos"
    assert faults_of(manifest_of(*rows, root=tmp_path)) == [("near-identical", text, (0, 1, 2, 3))]
    assert faults_of(manifest_of(*rows, root=tmp_path), similar=False) == []
    assert faults_of(manifest_of(*rows, root=tmp_path), files=False) == []


def test_without_a_file_that_can_be_read_nothing_is_said_of_sizes(tmp_path):
    manifest = manifest_of({}, {}, root=tmp_path, crop=CropSpec.unknown())
    assert [fault.kind for fault in check_manifest(manifest)] == ["missing file"]
