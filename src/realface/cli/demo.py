"""`realface demo`: the whole story on a sample study, on any machine, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    out: Annotated[Path, typer.Option(help="The folder for everything; an older demo there is replaced.")] = Path(
        "demo"
    ),
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core when left out.")] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A tiny study and a few steps: whether all parts work; its numbers say nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Make a sample study, then prepare, train, evaluate, detect and report on it.

    Needs no data, no weights and no network. It proves that the parts work together; what it measures says nothing
    about real deepfakes.
    """
    import json

    from realface.demo.story import FULL, QUICK, tell_story

    outcome = tell_story(out, QUICK if quick else FULL, workers=workers, quiet=as_json)
    if as_json:
        print(json.dumps(outcome, indent=2, ensure_ascii=False))
