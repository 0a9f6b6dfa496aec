"""The two pages about recipes, held against the recipe itself."""

import re
from pathlib import Path

from realface.training.recipe import recipe_schema
from realface.training.recipe_reference import recipe_reference, recipe_sections

PAGES = Path(__file__).parents[2] / "docs" / "reference"
REMAKE = "python -m realface.training.recipe_reference > docs/reference/recipe.md"


def test_every_field_of_a_recipe_is_described():
    fields = [
        (place.of_field(name), field.description)
        for place, section in recipe_sections(recipe_schema())
        for name, field in section.model_fields.items()
    ]
    assert [key for key, description in fields if not description] == []


def test_page_in_the_documentation_is_the_one_that_the_schema_gives():
    page = (PAGES / "recipe.md").read_text(encoding="utf-8")
    assert page == recipe_reference(recipe_schema()), f"the recipe has changed; run {REMAKE}"


def test_settings_of_the_releases_lead_to_keys_that_a_recipe_has():
    places = list(recipe_sections(recipe_schema()))
    known = {place.of_field(name) for place, section in places for name in section.model_fields}
    rows = re.findall(r"^\| .* \| (.*) \|$", (PAGES / "from-the-releases.md").read_text("utf-8"), re.MULTILINE)
    named = {key for row in rows for key in re.findall(r"`([a-z_]+(?:\.[a-z_0-9]+)+)`", row)}
    assert len(named) > 20
    assert sorted(named - known - {"provenance.json"}) == []
