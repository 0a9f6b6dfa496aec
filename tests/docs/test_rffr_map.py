"""The map from RFFR's paper to the code leads to what is there, and its constants are the code's."""

import importlib
import re
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import pytest

import realface.models.rffr
from realface.core.recipe import Section
from realface.training.recipe import load_train_recipe

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "methods" / "rffr.md").read_text(encoding="utf-8")
MAP = PAGE.partition("## From the paper to the code\n")[2].partition("\n## ")[0]
PACKAGE = Path(realface.models.rffr.__path__[0])
STEPS = re.findall(r"^\| [^|]+ \| (`\w+\.py`:[^|]*) \|$", MAP, re.MULTILINE)
MANIFESTS = ["data.manifests=[faces.parquet]"]
CONSTANTS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (`[\w.-]+`: [^|]+) \|$", MAP, re.MULTILINE)


def module_of(file):
    return importlib.import_module(f"realface.models.rffr.{file.removesuffix('.py')}")


def parts_of(cell):
    """Each file of a cell with the names that it is said to have."""
    return [re.findall(r"`([\w.-]+)`", part) for part in cell.split(";")]


@pytest.mark.parametrize("cell", STEPS)
def test_a_step_names_a_file_and_what_it_defines(cell):
    for file, *names in parts_of(cell):
        module = module_of(file)
        assert names
        assert [name for name in names if getattr(module, name).__module__ != module.__name__] == []


def test_every_module_has_a_step():
    assert {file for cell in STEPS for file, *_ in parts_of(cell)} == {path.name for path in PACKAGE.glob("[a-z]*.py")}


def inner(whole, name):
    """The part of that name: of a mapping, the default of a section's field, or an attribute."""
    if isinstance(whole, Mapping):
        return whole[name]
    if isinstance(whole, type) and issubclass(whole, Section):
        return whole.model_fields[name].default
    return getattr(whole, name)


def value_of(file, path):
    whole = module_of(file) if file.endswith(".py") else load_train_recipe(Path(file).stem, overrides=MANIFESTS)
    return reduce(inner, path.split("."), whole)


def written(value):
    """A value of the code, as `read` gives one of the page."""
    return value if isinstance(value, str) else str(value) if isinstance(value, bool) else float(value)


def read(text):
    """A value of the page: a word in backticks, or a number."""
    word = text.strip("`")
    return word if word != text else float(word.replace(",", ""))


@pytest.mark.parametrize(("what", "values", "cell"), CONSTANTS, ids=[what for what, _, _ in CONSTANTS])
def test_a_constant_has_the_value_that_the_page_says(what, values, cell):
    ((file, *paths),) = parts_of(cell)
    found = [value_of(file, path) for path in paths]
    flat = [one for value in found for one in (value if isinstance(value, tuple) else (value,))]
    assert [written(one) for one in flat] == [read(text) for text in values.split(", ")]


def test_the_table_of_constants_is_found():
    assert len(CONSTANTS) > 25


def test_the_readme_beside_the_code_leads_to_the_map():
    (link,) = re.findall(r"\]\((.+?)\)", (PACKAGE / "README.md").read_text(encoding="utf-8"))
    file, _, heading = link.partition("#")
    assert (PACKAGE / file).resolve() == CHECKOUT / "docs" / "methods" / "rffr.md"
    assert f"## {heading.replace('-', ' ')}\n" in PAGE.lower()
