import pytest

from realface.core.split_names import canonical_split, usual_split


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["train", "Train", "training", " TRAINING "], "train"),
        (["val", "VAL", "valid", "Validation", "dev"], "val"),
        (["test", "Testing"], "test"),
    ],
)
def test_every_spelling_of_a_split_is_one_name(spellings, name):
    assert {canonical_split(spelling) for spelling in spellings} == {name}
    assert {usual_split(spelling) for spelling in spellings} == {name}


@pytest.mark.parametrize("name", ["held out", "fold_1", "Devil", ""])
def test_another_name_stays_as_it_is(name):
    assert canonical_split(name) == name
    assert usual_split(name) is None
