from __future__ import annotations

import pytest

from realface.core import errors
from realface.core.errors import MediaError, RealfaceError, RecipeError

CHILDREN = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, RealfaceError) and value is not RealfaceError
]


@pytest.mark.parametrize("child", CHILDREN, ids=lambda child: child.__name__)
def test_every_error_is_also_the_builtin_that_a_programmer_expects(child: type[RealfaceError]) -> None:
    assert issubclass(child, (ValueError, OSError, RuntimeError, ImportError))


def test_a_media_error_carries_the_reason_by_which_losses_are_counted() -> None:
    error = MediaError("a.jpg is empty; copy it again", reason="empty file")
    assert (str(error), error.reason) == ("a.jpg is empty; copy it again", "empty file")


def test_a_recipe_error_lists_every_fault_on_its_own_line() -> None:
    error = RecipeError("small.yaml", ["optim.lr: required, but not given", "seed: must be an integer"])
    assert str(error) == "small.yaml: 2 faults\n  optim.lr: required, but not given\n  seed: must be an integer"
    assert error.faults == ("optim.lr: required, but not given", "seed: must be an integer")


def test_a_recipe_error_with_one_fault_says_fault() -> None:
    assert str(RecipeError("small.yaml", ["x: wrong"])) == "small.yaml: 1 fault\n  x: wrong"
