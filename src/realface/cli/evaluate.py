"""`realface evaluate`: measure a detector on manifests of face crops, with intervals."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realface.core.shipped import require_artifact

if TYPE_CHECKING:
    from realface.evaluation.evaluate import Evaluation
    from realface.evaluation.inpainting import Inpainting
    from realface.metrics.localisation import Localisation, LocalisationNumbers
    from realface.metrics.summary import Estimate, Numbers, Summary

FAILURES_SHOWN = 10
PLAIN_WIDTH = 160
"""Characters per line if the output is not a terminal."""


Artifact = Annotated[
    Path,
    typer.Argument(
        metavar="RUN_OR_ARTIFACT", help="Artifact, run folder that contains it, or name of a shipped detector."
    ),
]
Manifests = Annotated[
    list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests of the face crops to evaluate on.")
]
Out = Annotated[Path, typer.Option(help="Folder for scores, metrics and example faces; must be new or empty.")]
Split = Annotated[
    str | None,
    typer.Option(help="Split to evaluate (`all` = every row). Default: `test` if present, otherwise all rows."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Crops per forward pass.")]
Workers = Annotated[
    int, typer.Option(min=0, help="Worker processes that decode crops; 0 = decode in the main process.")
]
Resamples = Annotated[
    int, typer.Option(min=0, help="Number of bootstrap resamples for the intervals; 0 = no intervals.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")]
Examples = Annotated[
    int,
    typer.Option(min=0, max=100, help="Number of hardest and easiest examples to save per class."),
]
InpaintingFaces = Annotated[
    int, typer.Option(min=0, help="Real faces on which an MAE is compared with inpainting baselines; 0 = none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]


def command(
    artifact: Artifact,
    manifests: Manifests,
    out: Out,
    split: Split = None,
    device: Device = "auto",
    batch_size: BatchSize = 32,
    workers: Workers = 0,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    examples: Examples = 3,
    inpainting_faces: InpaintingFaces = 500,
    as_json: AsJson = False,
) -> None:
    """Score face crops with a detector and measure how well it separates reals from fakes.

    Writes OUT/scores.parquet, OUT/metrics.json and OUT/examples; `realface report` turns them into an HTML report. A
    masked autoencoder (MAE) that was trained only on real faces is also compared with inpainting baselines. Crops that
    cannot be read are reported and excluded; the exit code is then 2.
    """
    require_artifact(artifact)
    import json

    from realface.evaluation.evaluate import evaluate_artifact

    evaluation = evaluate_artifact(
        artifact,
        manifests,
        out,
        split=split,
        device=device,
        batch_size=batch_size,
        workers=workers,
        num_resamples=resamples,
        seed=seed,
        num_examples=examples,
        num_inpainted=inpainting_faces,
        quiet=as_json,
    )
    _print_remarks(evaluation)
    if as_json:
        print(json.dumps(evaluation.document, indent=2, ensure_ascii=False))
    else:
        _print(evaluation)
    if evaluation.failed:
        raise typer.Exit(2)


def _print_remarks(evaluation: Evaluation) -> None:
    """Print the notes, and the crops that were not scored, to stderr."""
    from realface.evaluation.evaluate import METRICS_NAME

    for note in evaluation.notes:
        print(f"realface: note: {note}", file=sys.stderr)
    for failure in evaluation.failed[:FAILURES_SHOWN]:
        print(f"realface: not scored: {failure.path} ({failure.reason})", file=sys.stderr)
    if len(evaluation.failed) > FAILURES_SHOWN:
        rest = len(evaluation.failed) - FAILURES_SHOWN
        print(f"realface: not scored: {rest} more, all named in {evaluation.out / METRICS_NAME}", file=sys.stderr)


def _print(evaluation: Evaluation) -> None:
    from realface.evaluation.evaluate import METRICS_NAME

    for test_set in evaluation.document["manifests"]:
        rows = "all rows" if test_set["split"] == "all" else f"split {test_set['split']}"
        print(f"{test_set['path']}: {rows}, {test_set['rows']} of {test_set['rows_in_file']} crops")
    overall = evaluation.summary.overall
    if overall.video["auc"].value is None:
        counts = f"{overall.counts.real_videos} real and {overall.counts.fake_videos} fake {overall.counts.unit}s"
        print(f"no AUC, EER, AP or accuracy of {counts}: {overall.video['auc'].reason}")
    else:
        _print_summary(evaluation.summary)
    if evaluation.localisation is not None:
        _print_localisation(evaluation.localisation)
    if evaluation.inpainting is not None:
        _print_inpainting(evaluation.inpainting)
    print(f"numbers: {evaluation.out / METRICS_NAME}")


def _print_summary(summary: Summary) -> None:
    counts = summary.overall.counts
    if counts.unit == "crop":
        _print_summary_of_crops(summary)
        return
    rows = [_row("all", summary.overall), *(_row(method, numbers) for method, numbers in summary.per_method.items())]
    _print_table("fakes", "videos", "video AUC", "EER", "AP", "accuracy", "frame AUC", rows=rows)
    reasons = {e.reason for numbers in (summary.overall, *summary.per_method.values()) for e in numbers.video.values()}
    for reason in sorted(reason for reason in reasons if reason):
        print(f"-: {reason}")
    drawn = "videos, and over crops that name none" if counts.unnamed_frames else "videos"
    print(f"fake from {summary.threshold:.4f} up (the model's threshold); brackets: 95 % interval over {drawn}")


def _print_summary_of_crops(summary: Summary) -> None:
    """Print the numbers by crop; without the names of videos, numbers by video would be the same."""
    named = {"all": summary.overall, **summary.per_method}
    rows = [
        (
            name,
            f"{numbers.counts.real_frames} real, {numbers.counts.fake_frames} fake",
            _text(numbers.frame["auc"], with_interval=True),
            *(_text(numbers.frame[metric]) for metric in ("eer", "average_precision", "accuracy")),
        )
        for name, numbers in named.items()
    ]
    _print_table("fakes", "crops", "AUC", "EER", "AP", "accuracy", rows=rows)
    for reason in sorted({e.reason for numbers in named.values() for e in numbers.frame.values() if e.reason}):
        print(f"-: {reason}")
    print(f"fake from {summary.threshold:.4f} up (the model's threshold); brackets: 95 % interval over crops")
    print("there are no numbers by video: no crop names its video, so each counts as its own")


def _print_table(*headings: str, rows: Sequence[tuple[str, ...]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    on_terminal = sys.stdout.isatty()
    Console(markup=False, highlight=False, width=None if on_terminal else PLAIN_WIDTH).print(table)


def _print_localisation(localisation: Localisation) -> None:
    numbers = localisation.overall
    inside = numbers.error_inside
    print(
        f"where it was forged, {_extent(numbers)}: "
        f"pixel AUC {_text(numbers.pixel_auc, with_interval=True)}, "
        f"IoU at equal area {_text(numbers.iou, with_interval=True)} (by chance {_text(numbers.chance_iou)})"
    )
    print(
        f"error inside the mask: fakes {_text(inside.fake, digits=4)}, reals {_text(inside.real, digits=4)}, "
        f"difference {_text(inside.difference, with_interval=True, digits=4)}, "
        f"AUC {_text(inside.auc, with_interval=True)}"
    )
    estimates = (numbers.pixel_auc, inside.real, inside.difference, inside.auc)
    for reason in sorted({estimate.reason for estimate in estimates if estimate.reason}):
        print(f"-: {reason}")
    for reason, count in localisation.left_out.items():
        print(f"not localised, {reason}: {count}")


def _extent(numbers: LocalisationNumbers) -> str:
    """Return how many crops of how many videos."""
    if numbers.num_unnamed == numbers.num_crops > 0:
        return f"{numbers.num_crops} fake crops that name no video"
    return f"{numbers.num_crops} crops of {numbers.num_videos} fake videos"


def _print_inpainting(inpainting: Inpainting) -> None:
    few = "" if inpainting.num_faces == inpainting.num_real else f" of {inpainting.num_real}"
    print(
        f"inpainting of {inpainting.num_faces}{few} real faces of {inpainting.num_units} {_plural(inpainting.drawn)}, "
        f"{inpainting.num_fakes} fakes left out; errors are mean squares over the hidden blocks, of faces in [0, 1]"
    )
    rows = [
        (
            name,
            _text(own.error, with_interval=True, digits=5),
            _text(own.grey_levels, with_interval=True, digits=1),
            "" if own.mae_minus_this is None else _text(own.mae_minus_this, with_interval=True, digits=5),
        )
        for name, own in {"MAE": inpainting.mae, **inpainting.inpainting_baselines}.items()
    ]
    _print_table("baseline", "error", "its root in grey levels", "MAE minus this", rows=rows)
    if inpainting.mae.error.reason:
        print(f"-: {inpainting.mae.error.reason}")
    else:
        print(f"brackets: 95 % interval over {_plural(inpainting.drawn)}; below 0 the MAE is better")


def _plural(unit: str) -> str:
    """`videos`, `persons`, or `videos or crops`."""
    return " or ".join(f"{one}s" for one in unit.split(" or "))


def _row(name: str, numbers: Numbers) -> tuple[str, ...]:
    video = numbers.video
    return (
        name,
        f"{numbers.counts.real_videos} real, {numbers.counts.fake_videos} fake",
        _text(video["auc"], with_interval=True),
        *(_text(video[metric]) for metric in ("eer", "average_precision", "accuracy")),
        _text(numbers.frame["auc"], with_interval=True),
    )


def _text(estimate: Estimate, *, with_interval: bool = False, digits: int = 3) -> str:
    if estimate.value is None:
        return "-"
    if not with_interval or estimate.low is None:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
