from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from realface.core.recipe import Section
from realface.training.recipe_reference import recipe_reference, recipe_sections


class Red(Section):
    """Of roses."""

    name: Literal["red"] = Field("red", description="`red`")
    depth: float | None = Field(None, gt=0, le=1, description="of |red|")


class Blue(Section):
    """Of the sea."""

    name: Literal["blue"] = Field("blue", description="`blue`")


class Inner(Section):
    """What is inside."""

    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field((3, 4), min_length=1, description="two\nlines")
    notes: dict[str, str] = Field(default_factory=dict, description="of all kinds")


class Outer(Section):
    """Not shown."""

    path: Path = Field(description="of a file")
    mode: Literal["fast", "exact"] = Field("fast", description="how")
    inner: Inner = Field(Inner(sizes=(5,)), description="inside")
    colour: Red | Blue = Field(Blue(), description="seen")
    maybe: Inner | None = Field(None, description="inside or not")


PAGE = recipe_reference(Outer)


@pytest.mark.parametrize(
    "row",
    [
        "| `path` | path | required | of a file |",
        "| `mode` | `fast` or `exact` | `fast` | how |",
        "| `inner` | [inner](#inner) | `{sizes: [5]}` | inside |",
        "| `colour` | [colour (red)](#colour-red) or [colour (blue)](#colour-blue) | `{name: blue}` | seen |",
        "| `maybe` | [maybe](#maybe) or null | `null` | inside or not |",
        "| `sizes` | list (integer ≥ 1) of length ≥ 1 | `[3, 4]` | two lines |",
        "| `notes` | mapping (text: text) | `{}` | of all kinds |",
        r"| `depth` | number > 0 and ≤ 1 or null | `null` | of \|red\| |",
    ],
)
def test_row_of_a_field(row):
    assert row in PAGE.splitlines()


def test_each_section_has_a_heading_and_its_docstring_and_no_row_for_the_name_that_chooses_it():
    assert [line for line in PAGE.splitlines() if line.startswith("## ")] == [
        "## The recipe itself",
        "## inner",
        "## colour (red)",
        "## colour (blue)",
        "## maybe",
    ]
    assert "## colour (red)\n\nOf roses.\n\n| field" in PAGE
    assert "| `name` |" not in PAGE


def test_section_within_a_choice_has_the_whole_key():
    class Deep(Section):
        """Deep down."""

        name: Literal["deep"] = Field("deep", description="`deep`")
        inner: Inner = Field(Inner(), description="inside")

    class Top(Section):
        """Not shown."""

        sea: Deep = Field(Deep(), description="how deep")

    assert [place.heading for place, _ in recipe_sections(Top)] == [
        "The recipe itself",
        "sea (deep)",
        "sea.inner (deep)",
    ]
