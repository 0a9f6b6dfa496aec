"""`realface train`: train a detector from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realface.evaluation.results import Result
    from realface.training.run import TrainResult


def command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the run; must be new or empty, except with --resume.")],
    recipe: Annotated[
        str | None,
        typer.Argument(help="YAML file, or name of a shipped recipe (`realface recipe list`). Optional with --resume."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the recipe, as in optim.lr=1e-4. Repeatable."
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue from the newest checkpoint in OUT, or start if OUT contains no run."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a detector from a recipe and write it to OUT/artifact.

    Paths in a recipe are relative to the current directory. Pass --set data.manifests=[FILE] to train a shipped recipe
    on your crops. The recipe real-faces-only also accepts a folder of photos and videos: pass --set data.real=FOLDER.
    The crops are then in OUT/faces, the results in OUT/results.json and the model card in OUT/card.md.

    SIGTERM or Ctrl-C saves a checkpoint before the run ends; pass --resume to continue.
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
