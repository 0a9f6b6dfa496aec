"""Typed recipes: read a YAML file and report all its errors at once.

A schema is a tree of `Section`s. Loading reports all errors together, each with its key, and suggestions for misspelt
keys.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from realface.core.errors import RecipeError
from realface.core.files import existing, write_text
from realface.core.text_files import decode_text

S = TypeVar("S", bound=BaseModel)


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, and values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def load_recipe(schema: type[S], path: Path, *, overrides: Sequence[str] = ()) -> S:
    """Read a YAML file into `schema`.

    Args:
        schema: type of the recipe.
        path: the YAML file.
        overrides: `key.inner=value` settings that replace values of the file; values are YAML.

    Returns:
        The recipe, with defaults for missing keys.

    Raises:
        MissingInputError: the file does not exist.
        RecipeError: the file is not YAML or does not match the schema; the text lists all errors. An error in an
            override mentions its `--set`.
    """
    content = existing(path, what="recipe").read_bytes()
    try:
        document = yaml.load(decode_text(content), Loader=_StrictLoader)  # noqa: S506 (a SafeLoader's child)
    except yaml.YAMLError as error:
        raise RecipeError(str(path), [" ".join(str(error).split())]) from error
    except ValueError as error:
        raise RecipeError(str(path), [str(error)]) from error
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise RecipeError(str(path), [f"expected a mapping of sections, got {type(document).__name__}"])
    try:
        return schema.model_validate(apply_overrides(document, overrides))
    except ValidationError as error:
        faults = [_attributed(schema, fault, overrides) for fault in error.errors()]
        from_command = all(is_overridden for _, is_overridden in faults)
        raise RecipeError("--set" if from_command else str(path), [line for line, _ in faults]) from error


def check_recipe(schema: type[S], document: Mapping[str, Any], *, where: str) -> S:
    """Check a mapping against `schema`.

    Args:
        schema: type of the recipe.
        document: the mapping to check.
        where: name of the document, for the error.

    Raises:
        RecipeError: the document does not match the schema; the text lists all errors, one per line.
    """
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        raise RecipeError(where, [_fault_line(schema, fault) for fault in error.errors()]) from error


def save_recipe(recipe: BaseModel, path: Path) -> None:
    """Write a recipe with every default filled in; loading it gives an equal recipe."""
    write_text(path, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def apply_overrides(document: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of `document` with `key.inner=value` settings applied.

    Args:
        document: nested mapping, as read from YAML.
        overrides: settings; a later setting replaces an earlier one.

    Raises:
        RecipeError: a setting without `=`, or a setting inside a value that is not a section.

    Example:
        >>> apply_overrides({"optim": {"lr": 0.1}}, ["optim.lr=0.01"])
        {'optim': {'lr': 0.01}}
    """
    changed: dict[str, Any] = _copied(document)
    faults = []
    for setting in overrides:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            faults.append(f"--set {setting}: expected KEY=VALUE, such as optim.lr=1e-4")
            continue
        *parents, last = key.strip().split(".")
        section: Any = changed
        for name in parents:
            if isinstance(section, dict):
                section = section.setdefault(name, {})
        if not isinstance(section, dict):
            faults.append(f"--set {setting}: {'.'.join(parents)} is a value, not a section")
            continue
        try:
            section[last] = yaml.load(value, Loader=_StrictLoader)  # noqa: S506 (a SafeLoader's child)
        except yaml.YAMLError:
            faults.append(f"--set {setting}: {value!r} is not a YAML value")
    if faults:
        raise RecipeError("--set", faults)
    return changed


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader, except that a duplicate key is an error; YAML would silently use its last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                break  # the parent class reports this with its location
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.constructor.ConstructorError(None, None, f"line {line}: {key!r} is given twice")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return value


def _fault_line(schema: type[BaseModel], fault: ErrorDetails) -> str:
    """Return an error as `key: description (did you mean ...?)`."""
    keys, sections = _keys_and_sections(schema, fault["loc"])
    place = ".".join(keys) or "recipe"
    if fault["type"] == "extra_forbidden":
        _, around = _keys_and_sections(schema, fault["loc"][:-1])
        known = sorted({name for section in around for name in section.model_fields})
        return f"{place}: no such setting{_did_you_mean(keys[-1], known)}"
    if fault["type"] == "missing":
        return f"{place}: required, but not given"
    if fault["type"] == "value_error":
        return f"{place}: {fault['ctx']['error']}"
    if fault["type"] == "union_tag_not_found":
        name = _quoted_words(fault["ctx"]["discriminator"])[0]
        tags = [tag for section in sections for tag in typing.get_args(section.model_fields[name].annotation)]
        return f"{place}.{name}: required, but not given; known: {', '.join(tags)}"
    if fault["type"] == "union_tag_invalid":
        tag, expected = fault["ctx"]["tag"], fault["ctx"]["expected_tags"]
        hint = _did_you_mean(tag, _quoted_words(expected))
        return (
            f"{place}.{_quoted_words(fault['ctx']['discriminator'])[0]}: must be one of {expected}, got {tag!r}{hint}"
        )
    came = fault["input"]
    hint = ""
    if fault["type"] == "literal_error" and isinstance(came, str):
        hint = _did_you_mean(came, _quoted_words(fault["ctx"]["expected"]))
    message = fault["msg"].removeprefix("Input ").replace("should be", "must be")
    got = "" if isinstance(came, Mapping) else f", got {came!r}"
    return f"{place}: {message}{got}{hint}"


def _attributed(schema: type[BaseModel], fault: ErrorDetails, overrides: Sequence[str]) -> tuple[str, bool]:
    """Return the line of an error, and True if a `--set` caused it; the line then begins with that setting."""
    line = _fault_line(schema, fault)
    place = ".".join(_keys_and_sections(schema, fault["loc"])[0])
    for setting in reversed(overrides):  # the last one counts
        key = setting.partition("=")[0].strip()
        if place == key or place.startswith(f"{key}."):
            return f"--set {setting}: {line}", True
    return line, False


def _quoted_words(text: str) -> list[str]:
    """Return the words in single quotes: `'adam', 'asgd' or 'sgd'` gives adam, asgd, sgd."""
    return text.split("'")[1::2]


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(known)}" if known and len(known) <= 12 else ""


def _keys_and_sections(schema: type[BaseModel], place: Sequence[int | str]) -> tuple[list[str], list[type[BaseModel]]]:
    """Return the keys that lead to `place`, as a user writes them, and the possible sections at that location."""
    keys, candidates = [], [schema]
    for part in place:
        inner = [
            model
            for section in candidates
            if part in section.model_fields
            for model in sections_in(section.model_fields[str(part)].annotation)
        ]
        # pydantic's locations include the tag of a union, which selects a candidate and is not a key
        tagged = [section for section in candidates if not inner and _has_tag(section, str(part))]
        if not tagged:
            keys.append(str(part))
        candidates = inner or tagged or candidates
    return keys, candidates


def sections_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the section types that a field of this type can contain, also inside a union, list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        return [section for inner in typing.get_args(annotation) for section in sections_in(inner)]
    return []


def _has_tag(section: type[BaseModel], tag: str) -> bool:
    return section.__name__ == tag or any(
        typing.get_origin(field.annotation) is Literal and tag in typing.get_args(field.annotation)
        for field in section.model_fields.values()
    )
