"""`realface residuals`: what an MAE cannot inpaint of every crop, computed once for trainings to read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from realface.evaluation.residuals import ComputedResiduals

FAILURES_SHOWN = 10


def command(
    mae: Annotated[Path, typer.Argument(help="Run or artifact of rffr-mae, or of rffr: its MAE.")],
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="The crops.")],
    out: Annotated[Path, typer.Option(help="A folder for the residuals: new, or one that has some already.")],
    mode: Annotated[
        Literal["exact", "fast"] | None, typer.Option(help="Blocks one by one, or many at once; else the artifact's.")
    ] = None,
    outer_ring: Annotated[
        bool | None,
        typer.Option("--outer-ring/--no-outer-ring", help="Cover the outermost patches; else the artifact's."),
    ] = None,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="In which the MAE computes.")] = "fp32",
    dtype: Annotated[Literal["float32", "float16"], typer.Option(help="In which residuals are stored.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Crops at a time.")] = 32,
    chunk_size: Annotated[
        int | None, typer.Option(min=1, help="Passes at once: some hundred on a GPU; else the artifact's.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode; 0 decodes in this one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compute the residuals of face crops, which a training then reads (data.residuals).

    Only what OUT does not have yet is computed, so a run that was broken off goes on when the same command is given
    again. Crops that cannot be read are named in OUT/skipped.csv; the exit code is then 2.
    """
    import json

    from realface.evaluation.residuals import compute_residuals

    try:
        computed = compute_residuals(
            mae,
            manifests,
            out,
            mode=mode,
            outer_ring=outer_ring,
            precision=precision,
            dtype=dtype,
            device=device,
            batch_size=batch_size,
            chunk_size=chunk_size,
            workers=workers,
            quiet=as_json,
        )
    except KeyboardInterrupt:
        print("realface residuals: finished files are kept; run the same command to continue", file=sys.stderr)
        raise
    for failure in computed.failed[:FAILURES_SHOWN]:
        print(f"realface: not computed: {failure.path} ({failure.reason})", file=sys.stderr)
    for note in computed.notes:
        print(f"realface: note: {note}", file=sys.stderr)
    if as_json:
        print(json.dumps(_document(computed), indent=2, ensure_ascii=False))
    else:
        _print(computed)
    if computed.failed:
        raise typer.Exit(2)


def _document(computed: ComputedResiduals) -> dict[str, object]:
    return {
        "out": str(computed.out),
        "header": computed.header.model_dump(mode="json"),
        "computed": computed.num_computed,
        "there": computed.num_there,
        "notes": computed.notes,
        "skipped": computed.skipped,
        "failed": [{"path": failure.path, "reason": failure.reason} for failure in computed.failed],
    }


def _print(computed: ComputedResiduals) -> None:
    from realface.evaluation.residuals import SKIPPED_NAME

    print(f"{computed.num_computed} residuals computed, {computed.num_there} were there")
    for reason, count in computed.skipped.items():
        print(f"skipped, {reason}: {count}")
    if computed.failed:
        print(f"skipped crops with their reasons: {computed.out / SKIPPED_NAME}")
    print(f"residuals: {computed.out} ({computed.header.describe()})")
