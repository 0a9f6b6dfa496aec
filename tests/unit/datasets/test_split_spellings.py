"""Readers that take a split from a folder, a file or a field take every spelling of it."""

import json

import pytest

from realface.datasets.registry import scan_dataset


def splits_by_video(inventory):
    return {(item.method, item.video): item.split for item in inventory.items}


def rename(root, *pairs):
    for old, new in pairs:
        (root / old).rename(root / new)


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


RENAMED = {
    "ffiw": [
        *((f"{part}/val", f"{part}/Validation") for part in ("source", "target", "target_mask")),
        ("source/train", "source/training"),
    ],
    "faceforensics": [("train.json", "Training.json"), ("val.json", "valid.json"), ("test.json", "testing.json")],
    "deeperforensics": [(f"lists/splits/{old}.txt", f"lists/splits/{new}.txt") for old, new in [("val", "dev")]]
    + [("lists/splits/train.txt", "lists/splits/TRAIN.txt"), ("lists/splits/test.txt", "lists/splits/Testing.txt")],
    "df40": [("DF40_train", "df40_Training")],
    "wilddeepfake": [("real train", "Real Training"), ("fake_train", "fake_training"), ("real test", "real testing")],
}


@pytest.mark.parametrize("name", RENAMED)
def test_another_spelling_gives_the_same_splits(name, build_tree, tmp_path):
    root = build_tree(name, tmp_path / "study")
    before = scan_dataset(root, name)
    rename(root, *RENAMED[name])
    after = scan_dataset(root, name)
    assert splits_by_video(after) == splits_by_video(before)
    assert [item.original for item in after.items] == [item.original for item in before.items]
    assert all(item.mask is None or item.mask.exists() for item in after.items)
    assert after.missing == before.missing


def test_the_fields_of_dfdc_and_its_preview_may_be_spelt_in_any_way(build_tree, tmp_path):
    root = build_tree("dfdc", tmp_path / "dfdc")
    change(root / "dfdc_train_part_0" / "metadata.json", '"split": "train"', '"split": "Validation"')
    assert {item.split for item in scan_dataset(root).items} == {"val", "train", "test"}
    preview = build_tree("dfdc_preview", tmp_path / "preview")
    before = scan_dataset(preview)
    change(preview / "dataset.json", '"set": "train"', '"set": "Training"')
    assert scan_dataset(preview).items == before.items


def test_a_validation_part_that_somebody_made_of_wilddeepfake_is_read(build_tree, tmp_path):
    root = build_tree("wilddeepfake", tmp_path / "study")
    rename(root, ("real test", "real valid"))
    inventory = scan_dataset(root)
    assert splits_by_video(inventory)[None, "real_val/1"] == "val"
    assert not any("validation split" in line for line in inventory.missing)


def test_the_usual_spelling_of_a_split_file_comes_first(build_tree, tmp_path):
    root = build_tree("faceforensics", tmp_path / "study")
    (root / "training.json").write_text(json.dumps([["000", "001"]]))
    assert {item.split for item in scan_dataset(root).items} == {"train"}
