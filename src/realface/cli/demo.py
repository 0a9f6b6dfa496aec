"""`realface demo`: run the whole pipeline on a generated sample study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    out: Annotated[Path, typer.Option(help="Output folder. An earlier demo in it is replaced.")] = Path("demo"),
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes. Default: one per core.")] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Use a tiny study and a few training steps, to check that all parts work. Ignore the numbers.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Generate a sample study, then prepare, train, evaluate, detect and report on it.

    The demo requires no data, weights or network. It shows that the parts work together. Its numbers do not apply to
    real deepfakes.
    """
    import json

    from realface.demo.story import FULL, QUICK, run_demo

    outcome = run_demo(out, QUICK if quick else FULL, workers=workers, quiet=as_json)
    if as_json:
        print(json.dumps(outcome, indent=2, ensure_ascii=False))
