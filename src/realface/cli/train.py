"""`realface train`: a recipe into a detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realface.evaluation.results import Result
    from realface.training.run import TrainResult


def command(
    out: Annotated[Path, typer.Option("--out", help="A new folder for the run.")],
    recipe: Annotated[
        str | None,
        typer.Argument(help="A recipe's YAML file, or the name of a shipped one: demo, ... Not needed with --resume."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Overrides the recipe: optim.lr=1e-4.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint in OUT; begin where there is no run yet.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a detector; it is written to OUT/artifact.

    Paths in a recipe are relative to the current directory. The manifests of a shipped recipe are named with
    --set data.manifests=[FILE]. The recipe real-faces-only also takes a folder of photos and videos, with
    --set data.real=FOLDER; its faces go to OUT/faces, its numbers and model card to OUT/results.json and OUT/card.md.
    SIGTERM or Ctrl-C saves the run before it ends; --resume goes on with it.
    """
    from realface.cli.own_faces import CARD_NAME, finish_own_faces, is_own_run, prepare_own_faces
    from realface.cli.prepare import stoppable
    from realface.core.errors import RecipeError
    from realface.training.recipe import load_train_recipe
    from realface.training.resuming import RECIPE_NAME, require_run
    from realface.training.run import train

    if recipe is None:
        if not resume:
            raise RecipeError("realface train", ["RECIPE: required, but not given; only --resume goes without"])
        require_run(out)
        recipe = str(out / RECIPE_NAME)
    made = load_train_recipe(recipe, overrides=settings or [])
    results: list[Result] | None = None
    if is_own := made.data.real is not None:
        with stoppable("train"):
            made = prepare_own_faces(made, out, resume=resume, quiet=as_json)
    result = train(made, out, resume=resume, quiet=as_json)
    if not result.is_first_process:
        return
    if is_own or is_own_run(made, out):
        results = finish_own_faces(made, out, quiet=as_json)
    card = None if results is None else out / CARD_NAME
    if as_json:
        _print_json(result, results, card)
    else:
        _print(result, results, card)


def _print_json(result: TrainResult, results: Sequence[Result] | None, card: Path | None) -> None:
    import json
    from dataclasses import asdict

    shown = asdict(result) | {"artifact": str(result.artifact)}
    del shown["is_first_process"]
    if results is not None:
        shown |= {"results": [each.model_dump(mode="json") for each in results], "card": str(card)}
    print(json.dumps(shown, indent=2, ensure_ascii=False))


def _print(result: TrainResult, results: Sequence[Result] | None, card: Path | None) -> None:
    from realface.cli.own_faces import print_results
    from realface.training.selection import LOWEST_IS_BEST, metric_text

    found = metric_text(result.metric, result.best_metric)
    order = " (lower is better)" if result.metric in LOWEST_IS_BEST else ""
    print(f"best of {result.steps} steps: {result.best_step}, validation {found}{order}")
    if results is not None:
        print_results(results)
        print(f"card: {card}")
    print(f"detector: {result.artifact}")
