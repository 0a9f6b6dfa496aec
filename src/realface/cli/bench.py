"""`realface bench`: how fast a verdict comes on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping


def command(
    model: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="ARTIFACT", help="What to time, may be given several times; RECCE's two sizes by default."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Verdicts timed per model.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Frames searched, and faces scored, together.")] = 16,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames looked at; the model's own by default.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the result there too, as a new file.")] = None,
) -> None:
    """Time the way from a 10 s video of 1280 x 720 pixels to its verdict, by stage.

    The last line is the result as JSON.
    """
    import json
    import time

    from realface.bench.verdict_bench import bench_verdict
    from realface.core.files import write_json

    models = {str(path): path for path in model} if model else None
    result = bench_verdict(models, repeats=repeats, device=device, batch_size=batch_size, num_frames=frames)
    print("\n".join(_table(result)))
    if out is not None:
        path = out / f"verdict-{time.strftime('%Y%m%d-%H%M%S')}.json"
        write_json(path, result)
        print(f"written: {path}")
    print(json.dumps(result))


def _table(result: Mapping[str, Any]) -> list[str]:
    clip, machine = result["clip"], result["machine"]
    lines = [
        f"{clip['duration_s']:g} s of {clip['width']} x {clip['height']} at {clip['fps']} frames/s; "
        f"{machine['processor']}, {machine['threads']} threads; median of {result['repeats']} (least - most), seconds"
    ]
    for name, model in result["models"].items():
        lines.append(
            f"{name}: {model['num_frames']} frames, {model['input_size']} px, loaded in {model['load_s']:.2f} s"
        )
        lines += [
            f"  {stage:<8}{seconds['median']:8.3f}  ({seconds['min']:.3f} - {seconds['max']:.3f})"
            for stage, seconds in model["seconds"].items()
        ]
        lines.append(f"  {'first':<8}{model['first_s']['total']:8.3f}  with the face finder's loading")
    return lines
