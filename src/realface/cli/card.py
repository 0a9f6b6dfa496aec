"""`realface card`: write the model card of a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    artifact: Annotated[
        Path, typer.Argument(metavar="RUN_OR_ARTIFACT", help="Artifact, or run folder that contains it.")
    ],
    out: Annotated[Path, typer.Option(help="Markdown file to write. An existing file is replaced.")] = Path("card.md"),
    results: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="results.json, or metrics.json of `realface evaluate`. Repeatable. A run's own results are included.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON list of the data sources, each with name, content and licence."),
    ] = None,
    failures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with images and failures.json, which lists file and caption."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path of the card as JSON.")] = False,
) -> None:
    """Write the model card of a detector: data, licences, method, numbers with intervals, limits.

    The same input files give the same card, byte for byte.
    """
    import json

    from realface.report.model_card import write_model_card

    write_model_card(artifact, out, results=results or [], data=data, failures=failures)
    print(json.dumps({"card": str(out)}, ensure_ascii=False) if as_json else f"card: {out}")
