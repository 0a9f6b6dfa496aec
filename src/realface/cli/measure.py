"""`realface measure`: measure the verdicts of a detector on files with a known label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from realface.cli.calibrate import Identities, Verdicts


def command(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Artifact, run folder that contains it, or name of a shipped detector."),
    ],
    verdicts: Verdicts,
    identities: Identities,
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSON file to write, for `realface card --results`.")],
    data: Annotated[str, typer.Option(metavar="NAME", help="Name of the data, such as `test identities`.")],
) -> None:
    """Measure the verdicts of a detector on files with a known label.

    Reports the share of false alarms among files with a verdict, with its Clopper-Pearson interval, the share of files
    without a verdict and, for fakes, the share that is detected. For pairs, it reports the AUC and the share of pairs
    in the correct order.
    """
    from realface.detection.measuring import measure_verdicts
    from realface.evaluation.results import write_results
    from realface.models.artifact import find_artifact, read_card
    from realface.report.model_card import estimate_text, named

    results = measure_verdicts(read_card(find_artifact(model)), verdicts, identities, data=data)
    write_results(out, results)
    for result in results:
        print(f"{named(result)}: {estimate_text(result)}, {result.n} {result.unit}, {result.groups} identities")
    print(f"results: {out}")
