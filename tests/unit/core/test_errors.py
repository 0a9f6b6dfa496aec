from __future__ import annotations

import pickle

import pytest

from realface.core import errors
from realface.core.errors import ManifestError, MediaError, MissingInputError, RealfaceError, RecipeError

CHILDREN = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, RealfaceError) and value is not RealfaceError
]


@pytest.mark.parametrize("child", CHILDREN, ids=lambda child: child.__name__)
def test_every_error_is_also_the_builtin_that_a_programmer_expects(child: type[RealfaceError]) -> None:
    assert issubclass(child, (ValueError, OSError, RuntimeError, ImportError))


def test_the_text_of_an_error_ends_with_its_hint() -> None:
    error = ManifestError("a is a folder", hint="give a file")
    assert (str(error), error.text, error.hint) == (
        "a is a folder; give a file",
        "a is a folder",
        "give a file",
    )


def test_an_error_without_a_hint_is_its_text() -> None:
    error = MissingInputError("a.csv does not exist")
    assert (str(error), error.text, error.hint) == ("a.csv does not exist", "a.csv does not exist", "")


@pytest.mark.parametrize("kind", [ManifestError, MissingInputError])
def test_an_error_keeps_its_hint_between_processes(kind: type[RealfaceError]) -> None:
    error = pickle.loads(pickle.dumps(kind("a is a folder", hint="give a file")))
    assert (str(error), error.text, error.hint) == (
        "a is a folder; give a file",
        "a is a folder",
        "give a file",
    )


def test_a_media_error_carries_the_reason_by_which_skipped_files_are_counted() -> None:
    error = MediaError("a.jpg is empty; copy it again", reason="empty file")
    assert (str(error), error.reason) == ("a.jpg is empty; copy it again", "empty file")


def test_a_recipe_error_lists_every_fault_on_its_own_line() -> None:
    error = RecipeError("small.yaml", ["optim.lr: required, but not given", "seed: must be an integer"])
    assert str(error) == "small.yaml: 2 faults\n  optim.lr: required, but not given\n  seed: must be an integer"
    assert error.faults == ("optim.lr: required, but not given", "seed: must be an integer")


def test_a_recipe_error_with_one_fault_says_fault() -> None:
    assert str(RecipeError("small.yaml", ["x: wrong"])) == "small.yaml: 1 fault\n  x: wrong"
