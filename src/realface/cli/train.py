"""`realface train`: a recipe into a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe's YAML file, or the name of a shipped one: demo, ...")],
    out: Annotated[Path, typer.Option("--out", help="A new folder for the run.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Overrides the recipe: optim.lr=1e-4.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a detector; it is written to OUT/artifact.

    Paths in a recipe are relative to the current directory. The manifests of a shipped recipe are named with
    --set data.manifests=[FILE].
    """
    import json
    from dataclasses import asdict

    from realface.training.recipe import load_train_recipe
    from realface.training.run import train

    result = train(load_train_recipe(recipe, overrides=settings or []), out, quiet=as_json)
    if as_json:
        print(json.dumps(asdict(result) | {"artifact": str(result.artifact)}, indent=2, ensure_ascii=False))
        return
    print(f"best of {result.steps} steps: {result.best_step}, validation {result.metric} {result.best_metric:.4f}")
    print(f"detector: {result.artifact}")
