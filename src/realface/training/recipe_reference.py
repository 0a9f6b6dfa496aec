"""The reference page of every field of a training recipe, made from the schema itself.

`python -m realface.training.recipe_reference > docs/reference/recipe.md` writes it.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from realface.core.recipe import sections_in
from realface.training.recipe import recipe_schema

INTRODUCTION = """\
# Every field of a recipe

<!-- Made by `python -m realface.training.recipe_reference > docs/reference/recipe.md`; changes by hand are lost. -->

How to read it: a recipe is one YAML file, and each heading below is a section of it. `data.train` is the section
`train` within the section `data`; `--set data.train.flip=0` sets its field `flip`. A name in brackets is one of several
choices: `optim (sgd)` lists what `optim` takes with `name: sgd`. A required field has to be given wherever its section
is; every other one may be left out. A default in braces is what a section holds that is left out as a whole.
[Train](../guides/train.md) has an example.
"""
SCALARS: Mapping[Any, str] = types.MappingProxyType(
    {
        bool: "true or false",
        int: "integer",
        float: "number",
        str: "text",
        Path: "path",
        types.NoneType: "null",
        Any: "anything",
    }
)
BOUNDS: Mapping[str, str] = types.MappingProxyType(
    {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "of length ≥", "max_length": "of length ≤"}
)
"""Notation of pydantic's bounds, by the name of the attribute."""


@dataclass(frozen=True)
class Place:
    """Place of a section in the recipe.

    Attributes:
        key: its key in the recipe, such as `data.train`; empty for the recipe itself.
        choices: the `name`s that choose it, the outermost first.
    """

    key: str = ""
    choices: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The heading above the section's fields."""
        if not self.key:
            return "The recipe itself"
        return self.key + (f" ({', '.join(self.choices)})" if self.choices else "")

    @property
    def link(self) -> str:
        """A link to that heading, in GitHub's notation."""
        anchor = re.sub(r"[^\w\- ]", "", self.heading.lower()).replace(" ", "-")
        return f"[{self.heading}](#{anchor})"

    def of_field(self, name: str) -> str:
        """Return the key of one of its fields."""
        return f"{self.key}.{name}" if self.key else name

    def within(self, name: str, section: type[BaseModel]) -> Place:
        """Return the place of a section that a field of this section can contain."""
        choice = _choice(section)
        return Place(self.of_field(name), self.choices if choice is None else (*self.choices, choice))


def recipe_sections(section: type[BaseModel], place: Place = Place()) -> Iterator[tuple[Place, type[BaseModel]]]:
    """Yield a section and all within it, in the order of their fields."""
    yield place, section
    for name, field in section.model_fields.items():
        for inner in sections_in(field.annotation):
            yield from recipe_sections(inner, place.within(name, inner))


def recipe_reference(schema: type[BaseModel]) -> str:
    """Return the page, in Markdown: a heading and a table for each section of a recipe."""
    return "\n".join([INTRODUCTION, *(_section_text(place, section) for place, section in recipe_sections(schema))])


def _section_text(place: Place, section: type[BaseModel]) -> str:
    lines = [f"## {place.heading}", ""]
    if place.key:
        lines += [inspect.getdoc(section) or "", ""]
    lines += ["| field | type | default | description |", "| --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        if name == "name" and _choice(section) is not None:
            continue  # the heading shows it
        cells = [f"`{name}`", _type_text(field.annotation, field.metadata, place, name), _default_text(field)]
        description = " ".join((field.description or "").split())
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in [*cells, description]) + " |")
    return "\n".join([*lines, ""])


def _choice(section: type[BaseModel]) -> str | None:
    """Return the `name` that chooses a section among several; None if it has no such field."""
    field = section.model_fields.get("name")
    if field is None or get_origin(field.annotation) is not Literal:
        return None
    return " or ".join(get_args(field.annotation))


def _type_text(annotation: Any, metadata: list[Any], place: Place, name: str) -> str:
    """Return the allowed values of a field, in words; `metadata` bounds them."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        within = [part for item in inner[1:] for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return _type_text(inner[0], [*metadata, *within], place, name)
    # `X | None` has two origins: `Union` from typing.Optional, `UnionType` from the operator
    if origin in (Union, types.UnionType):
        parts = [_type_text(part, [], place, name) for part in inner if part is not types.NoneType]
        text = " or ".join(parts) + _bounds_text(metadata)
        return f"{text} or null" if types.NoneType in inner else text
    if origin is Literal:
        return " or ".join(f"`{_yaml_text(value)}`" for value in inner)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return place.within(name, annotation).link
    # `tuple[X, ...]` is a list of any length, `tuple[X, Y]` a list of two
    items = [_type_text(part, [], place, name) for part in inner if part is not Ellipsis]
    if origin is dict:
        return f"mapping ({items[0]}: {items[1]})" + _bounds_text(metadata)
    if origin is list or (origin is tuple and inner[-1] is Ellipsis):
        return f"list ({items[0]})" + _bounds_text(metadata)
    if origin is tuple:
        return f"list ({', '.join(items)})"
    return SCALARS.get(annotation, str(annotation)) + _bounds_text(metadata)


def _bounds_text(metadata: list[Any]) -> str:
    bounds = [
        f"{words} {_yaml_text(bound)}"
        for item in metadata
        for attribute, words in BOUNDS.items()
        if (bound := getattr(item, attribute, None)) is not None
    ]
    return f" {' and '.join(bounds)}" if bounds else ""


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        choice = _choice(type(default))
        given = default.model_dump(mode="json", exclude_defaults=True)
        return f"`{_yaml_text(given if choice is None else {'name': choice, **given})}`"
    return f"`{_yaml_text(to_jsonable_python(default))}`"


def _yaml_text(value: Any) -> str:
    """Return a value in the notation of a recipe, on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    sys.stdout.write(recipe_reference(recipe_schema()))
