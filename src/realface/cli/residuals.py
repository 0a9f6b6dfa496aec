"""`realface residuals`: compute the residuals of face crops once, for trainings to read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from realface.evaluation.residuals import ComputedResiduals

FAILURES_SHOWN = 10
Mode = Annotated[
    Literal["exact", "fast"] | None,
    typer.Option(help="Hide blocks one by one (`exact`) or many at once (`fast`). Default: the artifact's."),
]
OuterRing = Annotated[
    bool | None,
    typer.Option("--outer-ring/--no-outer-ring", help="Cover the outermost patches too. Default: the artifact's."),
]
ChunkSize = Annotated[
    int | None,
    typer.Option(min=1, help="MAE passes computed at once; several hundred on a GPU. Default: the artifact's."),
]


def command(
    mae: Annotated[Path, typer.Argument(help="Artifact or run folder of rffr-mae, or of rffr, whose MAE is used.")],
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests of the face crops.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the residuals: new, empty, or of an earlier run with the same settings.")
    ],
    mode: Mode = None,
    outer_ring: OuterRing = None,
    precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="Precision in which the MAE computes.")] = "fp32",
    dtype: Annotated[Literal["float32", "float16"], typer.Option(help="Type of the stored residuals.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Crops per batch.")] = 32,
    chunk_size: ChunkSize = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Worker processes that decode crops; 0 = decode in the main process.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compute the residuals of face crops once, for trainings to read (recipe key `data.residuals`).

    Only residuals that OUT does not contain are computed: run the same command again to continue an interrupted run.
    If crops cannot be read, OUT/skipped.csv lists them with the reasons, and the exit code is 2.
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
