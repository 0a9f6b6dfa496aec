"""`realface resynthesise`: every face rendered once by a small autoencoder, for pseudo-fakes to blend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests of real face crops.")],
    out: Annotated[
        Path, typer.Option(metavar="STORE", help="Folder for the re-synthesised faces; must be new or empty.")
    ],
    split: Annotated[
        str, typer.Option(help="Split on whose crops the autoencoders are trained; `all` = every crop.")
    ] = "train",
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each of the two autoencoders.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    workers: Annotated[
        int, typer.Option(min=0, help="Worker processes that locate missing landmarks; 0 = locate in the main process.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Render every real face with a small autoencoder, for the pseudo-fakes of kind `resynthesis`.

    Two autoencoders are trained on the real faces of the training split, and several checkpoints of each are kept. Each
    crop is rendered with one checkpoint. To train on the result, set `pseudo_fakes.resynthesis: STORE` in the recipe.
    """
    import json
    from dataclasses import asdict

    from realface.evaluation.resynthesis import resynthesise

    done = resynthesise(manifests, out, split=split, steps=steps, seed=seed, workers=workers, quiet=as_json)
    if as_json:
        print(json.dumps({**asdict(done), "out": str(done.out)}, indent=2, ensure_ascii=False))
        return
    print(f"{done.num_faces} faces rendered; autoencoders trained on {done.num_trained_on}")
    if done.num_without_landmarks:
        print(f"skipped crops without landmarks: {done.num_without_landmarks}")
    for name, loss in done.losses.items():
        print(f"training loss of {name}: {loss:.3f}")
    print(f"re-synthesised faces: {done.out}")
