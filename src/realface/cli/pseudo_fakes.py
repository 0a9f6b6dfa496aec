"""`realface pseudo-fakes`: draw contact sheets of pseudo-fakes and audit them for leaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realface.evaluation.pseudo_fakes import FaceSet
Resynthesis = Annotated[
    Path | None,
    typer.Option(
        metavar="STORE", help="Output folder of `realface resynthesise`, for the kind resynthesis and for swaps."
    ),
]


def command(
    crops: Annotated[
        Path | None, typer.Argument(help="Folder or manifest of face crops. Default: two public-domain portraits.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the contact sheets, one per kind.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind of pseudo-fakes. Repeatable. Default: all.")] = None,
    resynthesis: Resynthesis = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Check whether pixels outside the masks reveal the fakes.")
    ] = False,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs per kind in the audit; at least 250 are required.")] = 500,
    examples: Annotated[int, typer.Option(min=1, help="Pairs per contact sheet.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make pseudo-fakes from face crops, to view and to audit them.

    A contact sheet shows real, fake, mask and difference. The audit compares the two images of each pair outside the
    mask, and tests whether classifiers that see only the surroundings detect the fakes. If a kind leaks, or if too few
    pairs were measured, the exit code is 1.
    """
    import json
    from dataclasses import asdict

    from realface.core.progress import progress
    from realface.data.leak_audit import LeakReport
    from realface.evaluation.pseudo_fakes import audit_kind, contact_sheet, draw_pairs
    from realface.media.images import write_image

    kinds = _chosen_kinds(kind, with_stored=resynthesis is not None)
    found = _find_faces(crops, resynthesis)
    faces = found.real_faces()
    sheets: dict[str, str] = {}
    reports: list[LeakReport] = []
    with progress("pseudo-fakes", len(kinds), unit="kinds", quiet=as_json) as bar:
        for name in kinds:
            if out is not None:
                sheets[name] = str(out / f"{name}.jpg")
                write_image(out / f"{name}.jpg", contact_sheet(draw_pairs(name, faces, examples, seed=seed)[0]))
            if audit:
                reports.append(audit_kind(name, faces, num_pairs=pairs, seed=seed))
            bar.advance()
    if as_json:
        found_leaks = [{**asdict(report), "leaks": report.leaks} for report in reports]
        print(json.dumps({"kinds": kinds, "sheets": sheets, "audit": found_leaks}, indent=2))
    else:
        for name in kinds if not audit and out is None else ():
            print(name)
        for report in reports:
            print(report.describe())
        for path in sheets.values():
            print(path)
    if any(not report.passes for report in reports):
        raise typer.Exit(1)


def _chosen_kinds(kinds: list[str] | None, *, with_stored: bool) -> list[str]:
    from realface.data.pseudo_fakes.kinds import KINDS
    from realface.evaluation.pseudo_fakes import available_kinds

    allowed = available_kinds(with_stored=with_stored)
    chosen = kinds or allowed
    if unknown := [name for name in chosen if name not in KINDS]:
        raise typer.BadParameter(f"unknown kind {unknown[0]!r}; allowed: {', '.join(KINDS)}")
    if missing := [name for name in chosen if name not in allowed]:
        raise typer.BadParameter(
            f"kind {missing[0]} needs faces that a network has rendered; run `realface resynthesise MANIFEST --out "
            "STORE` and pass --resynthesis STORE"
        )
    return chosen


def _find_faces(crops: Path | None, resynthesis: Path | None) -> FaceSet:
    """Locate the faces in the crops and report the number of excluded crops."""
    from realface.bench.face_crops import crop_hashes, named_crops
    from realface.data.resynthesis_store import ResynthesisStore
    from realface.evaluation.pseudo_fakes import find_faces

    if resynthesis is None:
        found = find_faces(*named_crops(crops))
    elif crops is None:
        raise typer.BadParameter("--resynthesis needs the folder or manifest of the crops that were rendered")
    else:
        found = find_faces(*named_crops(crops), ResynthesisStore(resynthesis).faces(crop_hashes(crops)))
    if found.num_not_rendered:
        typer.echo(f"{found.num_not_rendered} crops that {resynthesis} does not contain are left out", err=True)
    if found.num_without_face:
        typer.echo(f"{found.num_without_face} crops without a face are left out", err=True)
    return found
