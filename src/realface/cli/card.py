"""`realface card`: the model card of a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    artifact: Annotated[Path, typer.Argument(metavar="RUN_OR_ARTIFACT", help="Folder that `realface train` wrote.")],
    out: Annotated[Path, typer.Option(help="Markdown file to write.")] = Path("card.md"),
    results: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="results.json, or metrics.json of `realface evaluate`; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON list of sources: name, content, licence.")
    ] = None,
    failures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of images with failures.json: file, caption.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path of the card as JSON.")] = False,
) -> None:
    """Write the model card of a detector: data, licences, method, numbers with intervals, limits.

    The card is made from files only, so the same files give the same bytes. An older file of that name is replaced.
    """
    import json

    from realface.report.model_card import write_model_card

    write_model_card(artifact, out, results=results or [], data=data, failures=failures)
    print(json.dumps({"card": str(out)}, ensure_ascii=False) if as_json else f"card: {out}")
