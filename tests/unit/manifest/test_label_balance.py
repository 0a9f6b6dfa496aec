from realface.core.labels import Label
from realface.manifest.label_balance import ClassCount, balance_notes, count_classes
from realface.manifest.manifest import Manifest


def manifest_of(*rows):
    return Manifest.from_rows([{"path": f"{i}.png", "label": 0, **row} for i, row in enumerate(rows)], root=".")


def test_crops_and_videos_are_counted_by_split_and_label():
    rows = [
        {},
        {"split": "test", "video": "a"},
        {"split": "train", "video": "a"},
        {"split": "train", "video": "a"},
        {"split": "train", "video": "b"},
        {"split": "train", "video": "a", "method": "DF", "label": 1},
    ]
    none = ClassCount()
    assert list(count_classes(manifest_of(*rows)).items()) == [
        ("train", {Label.REAL: ClassCount(3, 2), Label.FAKE: ClassCount(1, 1)}),
        ("test", {Label.REAL: ClassCount(1, 1), Label.FAKE: none}),
        (None, {Label.REAL: ClassCount(1, 1), Label.FAKE: none}),
    ]


def test_a_split_of_one_class_is_noted():
    assert balance_notes(manifest_of({"split": "train", "label": 1}, {})) == [
        "split train has no real faces; most metrics need both",
        "the rows without a split contain no fake faces",
    ]


def test_a_ratio_beyond_20_is_noted():
    twenty = [{"split": "val", "label": 1}] * 20
    assert balance_notes(manifest_of({"split": "val"}, *twenty)) == []
    assert balance_notes(manifest_of({"split": "val"}, *twenty, *twenty)) == [
        "split val has 40 fake faces for every real one (40 to 1)"
    ]


def test_what_tells_reals_from_fakes_in_training_is_noted():
    reals = [{"split": "train", "dataset": name, "compression": "c0", "path": f"{name}.PNG"} for name in "abcd"]
    fakes = [{"split": "train", "dataset": "x", "compression": "c23", "label": 1, "path": "x.d/x.jpg"}]
    assert balance_notes(manifest_of(*reals, *fakes)) == [
        "in split train the data set separates reals (a, b, c and 1 more) from fakes (x), "
        "so a detector may learn this difference instead of the forgery",
        "in split train the compression separates reals (c0) from fakes (c23), "
        "so a detector may learn this difference instead of the forgery",
        "in split train the file format separates reals (.png) from fakes (.jpg), "
        "so a detector may learn this difference instead of the forgery",
    ]


def test_a_data_set_with_one_class_is_fine_where_another_has_both():
    both = [{"split": "train", "dataset": "a", "label": label} for label in (0, 1)]
    assert balance_notes(manifest_of(*both, {"split": "train", "dataset": "b"})) == []
    assert balance_notes(manifest_of(*both, {"split": "train", "dataset": "b", "label": 1})) == []


def test_what_is_not_named_and_what_is_not_trained_on_is_no_shortcut():
    assert balance_notes(manifest_of({"split": "train"}, {"split": "train", "label": 1, "dataset": "b"})) == []
    rows = [{"split": "test", "dataset": "a"}, {"split": "test", "label": 1, "dataset": "b"}]
    assert balance_notes(manifest_of(*rows)) == []
