"""`realface report`: an HTML report of one evaluation, or a comparison of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `realface evaluate`.")],
    out: Annotated[Path, typer.Option(help="HTML file to write. An existing file is replaced.")] = Path("report.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the path of the report as JSON.")] = False,
) -> None:
    """Write a self-contained HTML report: ROC curves, histograms, metrics per forgery method and example faces.

    Pass several folders to compare evaluations.
    """
    import json

    from realface.report.page import write_report

    write_report(folders, out)
    print(json.dumps({"report": str(out)}, ensure_ascii=False) if as_json else f"report: {out}")
