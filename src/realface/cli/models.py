"""`realface models`: the methods that can be trained."""

from __future__ import annotations

from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the methods that `train` knows."""
    import json

    from realface.models.catalog import METHODS

    if as_json:
        print(json.dumps({name: method.summary for name, method in METHODS.items()}, indent=2))
        return
    for name, method in METHODS.items():
        print(f"{name}: {method.summary}")
