"""`realface report`: one page about one evaluation, or several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders that `realface evaluate` wrote.")],
    out: Annotated[Path, typer.Option(help="The page, one HTML file.")] = Path("report.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print where the page is as JSON.")] = False,
) -> None:
    """Write one self-contained HTML page: curves, histograms, a table per method, example faces.

    An older page of that name is replaced.
    """
    import json

    from realface.report.page import write_report

    write_report(folders, out)
    print(json.dumps({"report": str(out)}, ensure_ascii=False) if as_json else f"report: {out}")
