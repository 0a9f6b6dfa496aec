"""`realface import`: the authors' weights into an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realface.cli import crop_argument

if TYPE_CHECKING:
    from realface.models.artifact import ArtifactCard

app = typer.Typer(no_args_is_help=True, help="Make a detector of weights that a method's authors trained.")


@app.callback()
def _methods() -> None:
    """Keep `recce` a command of its own, where typer would merge an only one into `import`."""


@app.command()
def recce(
    file: Annotated[Path, typer.Argument(help="The checkpoint or state dict: .bin, .pth, .pt, .safetensors.")],
    out: Annotated[Path, typer.Argument(help="A new folder for the artifact.")],
    size: Annotated[
        int, typer.Option(min=64, max=2048, help="Pixels of the faces in training; 224 for WildDeepfake's weights.")
    ] = 299,
    crop: Annotated[str | None, typer.Option(metavar="SPEC", help=crop_argument.HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the artifact says of itself as JSON.")] = False,
) -> None:
    """RECCE's weights, as its authors' code or DeepfakeBench saved them.

    The file is read without executing anything in it. Weights that do not fit are refused, and what is missing,
    unknown or of another shape is named, all at once.
    """
    import json

    from realface.models.released.recce import import_recce

    spec = None if crop is None else crop_argument.crop_spec_of(crop)
    card = import_recce(file, out, input_size=size, crop=spec)
    if as_json:
        print(json.dumps({"artifact": str(out), **card.model_dump(mode="json")}, indent=2, ensure_ascii=False))
    else:
        _print(card, out)


def _print(card: ArtifactCard, out: Path) -> None:
    said = ", ".join(f"{name} {number}" for name, number in card.metrics.items())
    print(f"{card.method} at {card.input_size} x {card.input_size} pixels; crops: {card.crop.describe()}")
    print(f"what the file says of its validation: {said or 'nothing'}")
    if card.crop.is_external:
        print("how its faces were cut out is not known, so `detect` takes face crops (--crops); --crop SPEC says how")
    print(f"detector: {out}")
