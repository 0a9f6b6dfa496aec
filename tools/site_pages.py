"""Fill the generated pages of the documentation site; a hook of MkDocs (`hooks` in mkdocs.yml).

A page that contains `<!-- generated: NAME -->` is filled by that generator: the commands from the
command line's own help, or the public names of the package. The recipe page is generated from the schema. Comments
for the tests are removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args

COMMENT = re.compile(r"^<!--.*-->\n", re.MULTILINE)
MARKER = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page's Markdown with generated parts filled in and without comments."""
    if page.file.src_uri == "reference/recipe.md":
        markdown = recipe_page()
    filled = MARKER.sub(lambda match: GENERATORS[match[1]](), markdown)
    return COMMENT.sub("", filled)


def commands_page() -> str:
    """Return a section for each command, with its usage, help text, arguments and options."""
    from typer.main import get_command

    from realface.cli.main import app

    return "\n\n".join(
        command_section(command, words) for command, words in all_commands(get_command(app), ["realface"])
    )


def all_commands(command: Any, words: list[str]) -> Iterator[tuple[Any, list[str]]]:
    """Yield a command and every command below it, with the words that call it."""
    yield command, words
    for name, inner in getattr(command, "commands", {}).items():
        yield from all_commands(inner, [*words, name])


def command_section(command: Any, words: list[str]) -> str:
    """Return the section of one command as Markdown."""
    context = command.make_context(" ".join(words), [], resilient_parsing=True)
    usage = " ".join([*words, *command.collect_usage_pieces(context)])
    parts = [f"## {' '.join(words)}", plain_paragraphs(command.help or ""), f"```text\n{usage}\n```"]
    groups: dict[str, list[str]] = {}
    for parameter in command.params:
        if not getattr(parameter, "hidden", False) and parameter.name != "help":
            title = parameter.rich_help_panel or ("Arguments" if is_argument(parameter) else "Options")
            groups.setdefault(title, []).append(parameter_row(parameter, context))
    head = "| name | value | default | meaning |\n| --- | --- | --- | --- |"
    parts += ["\n".join([f"**{title}**", "", head, *rows]) for title, rows in groups.items()]
    return "\n\n".join(parts)


def is_argument(parameter: Any) -> bool:
    """Return whether a parameter of a command is an argument, not an option."""
    return bool(parameter.param_type_name == "argument")


def parameter_row(parameter: Any, context: Any) -> str:
    """Return the table row of an argument or option."""
    name = (parameter.metavar or parameter.name).upper() if is_argument(parameter) else ", ".join(parameter.opts)
    shown = "" if is_argument(parameter) or parameter.is_flag else f"`{parameter.metavar or value_of(parameter)}`"
    default = parameter.get_default(context, call=False)
    is_empty = default is None or default is False or default in ((), []) or callable(default)
    default_shown = "required" if parameter.required else "" if is_empty else f"`{getattr(default, 'value', default)}`"
    cells = [f"`{name}`", shown, default_shown, " ".join((parameter.help or "").split())]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def value_of(parameter: Any) -> str:
    """Return the values of an option: its choices, or the word for its type."""
    annotation = parameter.type_descriptor.annotation
    inner = get_args(annotation)[0] if get_args(annotation) else annotation
    if isinstance(inner, type) and issubclass(inner, Enum):
        return " or ".join(str(choice.value) for choice in inner)
    return {int: "N", float: "X", str: "TEXT", Path: "PATH"}.get(inner, "VALUE")


def plain_paragraphs(text: str) -> str:
    """Return a command's help as Markdown paragraphs."""
    return cleandoc(text.replace("\b", "").replace("\f", "\n"))


def api_page() -> str:
    """Return a directive of mkdocstrings for every public name of the package."""
    import realface

    return "\n\n".join(f"::: realface.{name}" for name in realface.__all__ if not name.startswith("_"))


def recipe_page() -> str:
    """Return the reference of every field of a recipe."""
    from realface.training.recipe import recipe_schema
    from realface.training.recipe_reference import recipe_reference

    return recipe_reference(recipe_schema())


GENERATORS: dict[str, Callable[[], str]] = {"commands": commands_page, "api": api_page}
