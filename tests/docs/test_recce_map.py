"""The map from RECCE's paper to the code leads to what is there."""

import importlib
import re
from pathlib import Path

import pytest

import realface.models.recce

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "methods" / "recce.md").read_text()
PACKAGE = Path(realface.models.recce.__path__[0])
SHARED = {"models/losses.py", "models/xception.py"}
CELLS = re.findall(r"\| (`[\w/]+\.py`.*) \|$", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("cell", CELLS)
def test_a_row_names_a_file_and_what_it_defines(cell):
    file, *names = re.findall(r"`([\w/.]+)`", cell.partition(";")[0])
    package = "realface" if file in SHARED else "realface.models.recce"
    module = importlib.import_module(f"{package}.{file.removesuffix('.py').replace('/', '.')}")
    assert names
    assert [name for name in names if getattr(module, name).__module__ != module.__name__] == []


def test_every_module_with_a_part_of_the_paper_has_a_row():
    rows = {cell.split("`")[1] for cell in CELLS}
    assert rows == {path.name for path in PACKAGE.glob("[a-z]*.py")} | SHARED


def test_the_readme_beside_the_code_leads_to_the_map():
    (link,) = re.findall(r"\]\((.+?)\)", (PACKAGE / "README.md").read_text())
    file, _, heading = link.partition("#")
    assert (PACKAGE / file).resolve() == CHECKOUT / "docs" / "methods" / "recce.md"
    assert f"## {heading.replace('-', ' ')}\n" in PAGE.lower()
