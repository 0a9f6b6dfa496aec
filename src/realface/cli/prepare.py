"""`realface prepare`: videos and pictures into face crops and a manifest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    source: Annotated[Path, typer.Argument(help="The data set's folder: videos or pictures in a known layout.")],
    out: Annotated[Path, typer.Argument(help="A new folder for crops and manifest.")],
    layout: Annotated[str | None, typer.Option(help="The layout's name; recognised when left out.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; one per core when left out.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames per video, evenly spread.")] = 32,
    margin: Annotated[float, typer.Option(min=0, help="Added around the face, as a share of its longer side.")] = 0.3,
    size: Annotated[int, typer.Option(min=16, help="Height and width of a crop, in pixels.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Find the faces of videos and pictures and write crops and a manifest.

    A run that was broken off goes on when the same command is given again. Files that cannot be used are named in
    OUT/losses.csv; the exit code is then 2.
    """
    import json
    from dataclasses import asdict

    from realface.faces.finders import default_crop_spec
    from realface.prepare.pipeline import prepare

    spec = default_crop_spec(frames=frames, margin=margin, size=size)
    try:
        result = prepare(source, out, spec=spec, layout=layout, workers=workers, quiet=as_json)
    except KeyboardInterrupt:
        print("realface prepare: finished files are kept; the same command goes on from there", file=sys.stderr)
        raise
    is_lossy = bool(result.losses or result.mask_losses)
    if as_json:
        print(json.dumps(asdict(result) | {"manifest": str(result.manifest)}, indent=2, ensure_ascii=False))
    else:
        masks = f", {result.num_masks} of them with a mask" if result.num_masks else ""
        used = result.num_sources - sum(result.losses.values())
        print(f"layout {result.layout}: {used} of {result.num_sources} files gave {result.num_crops} crops{masks}")
        for text in result.missing:
            print(f"missing: {text}")
        for reason, count in result.losses.items():
            print(f"lost, {reason}: {count}")
        for reason, count in result.mask_losses.items():
            print(f"mask not used, {reason}: {count}")
        if is_lossy:
            print(f"each lost file with its reason: {out / 'losses.csv'}")
        print(f"manifest: {result.manifest}")
    if is_lossy:
        raise typer.Exit(2)
