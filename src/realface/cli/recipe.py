"""`realface recipe`: list, show and check the recipes of training runs."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List, show and check the recipes of `realface train`.")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """List the shipped recipes with a description of each."""
    import json

    from realface.core.shipped import shipped_recipes

    titles = {name: _title(path) for name, path in shipped_recipes().items()}
    if as_json:
        print(json.dumps(titles, indent=2, ensure_ascii=False))
        return
    width = max(map(len, titles))
    for name, title in titles.items():
        print(f"{name:{width}}  {title}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_FILE", help="Name of a shipped recipe, or YAML file.")],
) -> None:
    """Print the YAML of a recipe, to save and edit it: `realface recipe show demo > mine.yaml`."""
    from realface.core.shipped import find_recipe

    print(find_recipe(name).read_text(encoding="utf-8"), end="")


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_FILE", help="YAML file, or name of a shipped recipe.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the recipe, as in optim.lr=1e-4. Repeatable."
        ),
    ] = None,
) -> None:
    """Check a recipe without training; all errors are reported at once, one per line, and the exit code is 2.

    The files that a recipe names are not opened.
    """
    from realface.core.shipped import find_recipe

    find_recipe(name)  # a wrong path is reported before torch is imported, which takes seconds

    from realface.training.recipe import load_train_recipe

    recipe = load_train_recipe(name, overrides=settings or [])
    print(f"{name}: no errors (method {getattr(recipe.method, 'name', 'unknown')}, {recipe.trainer.steps:,} steps)")


def _title(recipe: Path) -> str:
    """Return the first sentence of the comment at the top of a recipe: its description."""
    lines = takewhile(lambda line: line.startswith("#"), recipe.read_text(encoding="utf-8").splitlines())
    return " ".join(line.removeprefix("#").strip() for line in lines).partition(". ")[0].rstrip(".")
