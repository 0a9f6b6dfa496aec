from realface.core.crop_spec import CropSpec
from realface.data.manifest import Manifest, ManifestHeader
from realface.data.manifest_checks import check_manifest, count_labels, manifest_notes


def manifest_of(*rows, root="."):
    header = ManifestHeader(crop=CropSpec())
    return Manifest.from_rows(
        [{"path": f"{i}.png", "label": 0, **row} for i, row in enumerate(rows)], root=root, header=header
    )


def faults_of(manifest, **options):
    return [(fault.kind, fault.text, fault.rows) for fault in check_manifest(manifest, **options)]


def test_a_sound_manifest_has_no_faults_and_no_notes(tmp_path):
    rows = [{"label": label, "split": split, "sha256": f"{label}{split}"} for label in (0, 1) for split in ("a", "b")]
    for i in range(4):
        (tmp_path / f"{i}.png").touch()
    manifest = manifest_of(*rows, root=tmp_path)
    assert faults_of(manifest) == []
    assert manifest_notes(manifest) == []


def test_missing_crops_and_masks_are_counted_and_the_first_named(tmp_path):
    (tmp_path / "0.png").touch()
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
        ("two labels", "the same picture is real in one row and fake in another: 2.png, 3.png", (2, 3)),
        ("leak", "picture 0.png is in train and test", ()),
    ]


def test_the_same_content_within_a_split_is_a_note():
    manifest = manifest_of({"sha256": "x", "label": 1}, {"sha256": "x", "label": 1}, {})
    assert faults_of(manifest, files=False) == []
    assert manifest_notes(manifest) == ["the same picture 2 times: 0.png, 1.png"]


def test_leaks_are_faults_that_name_the_person():
    manifest = manifest_of(
        {"identities": ["071"], "split": "train", "dataset": "faceforensics"},
        {"identities": ["071"], "split": "test", "dataset": "faceforensics"},
    )
    assert faults_of(manifest, files=False) == [("leak", "person 071 is in train and test (dataset faceforensics)", ())]


def test_one_class_only_rows_without_split_and_unknown_crops_are_notes():
    rows = [{"path": "a", "label": 1, "split": "train"}, {"path": "b", "label": 0, "split": None}]
    assert manifest_notes(Manifest.from_rows(rows, root=".")) == [
        "split train has no real faces; most metrics need both",
        "the rows without a split hold no fake faces",
        "1 of 2 rows are in no split",
        "how the crops were made is not known (crop spec external)",
    ]


def test_labels_are_counted_by_split():
    manifest = manifest_of({"split": "val"}, {"label": 1}, {"split": "val", "label": 1}, {"split": "val"})
    assert count_labels(manifest) == {"val": {"real": 2, "fake": 1}, None: {"real": 0, "fake": 1}}
