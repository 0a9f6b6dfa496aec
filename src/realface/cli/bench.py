"""`realface bench`: how fast the program is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAMES = "verdict, loader, decode, prepare, manifest, pseudo_fakes, recce, rffr; all of them by default."
VERDICT, PREPARE = "verdict: ", "prepare: "
MODELS, DEVICES, CROPS = "verdict, recce: ", "verdict, recce, rffr: ", "recce, rffr: "


Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help=NAMES)]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write each result there too, as a new file.")]
Repeats = Annotated[int, typer.Option(min=1, help="How often each thing is timed.")]
Model = Annotated[
    list[Path] | None, typer.Option(metavar="ARTIFACT", help=MODELS + "what to time; RECCE's two sizes by default.")
]
Device = Annotated[str, typer.Option(help=DEVICES + "auto, cpu, cuda, cuda:N or mps.")]
BatchSize = Annotated[int, typer.Option(min=1, help=VERDICT + "frames searched, and faces scored, together.")]
Frames = Annotated[int | None, typer.Option(min=1, help=VERDICT + "frames looked at; the model's own by default.")]
Videos = Annotated[
    Path | None, typer.Option(metavar="DIR", help=PREPARE + "folder of videos; seven made-up ones by default.")
]
Crops = Annotated[Path | None, typer.Option(help=CROPS + "folder or manifest of face crops; two portraits by default.")]


def command(
    names: Names = None,
    out: Out = None,
    repeats: Repeats = 5,
    model: Model = None,
    device: Device = "auto",
    batch_size: BatchSize = 16,
    frames: Frames = None,
    videos: Videos = None,
    crops: Crops = None,
) -> None:
    """Time what the program does, each with its median and spread.

    verdict: the way from a 10 s video of 1280 x 720 pixels to its verdict, by stage.

    loader: crops of 299 pixels through the loader of training, and how long training waits for them.

    decode: 32 evenly spread frames of a video with few key frames, against decoding all 300 of it once.

    prepare: videos to stored face crops, by one process and by two, and by stage.

    manifest: 3,000,000 rows opened, filtered and drawn from, the peak of memory, and what each loader's worker adds.

    pseudo_fakes: pairs of a real face and its fake per CPU second, by kind.

    recce: inference and a training step, each against the same network with the loop over positions, memory layout and
    float32 of the authors' release; how far scores move; peak memory.

    rffr: the residual and a training step, each against a pass for each block in float32, as in the authors' release;
    how far residuals move; peak memory.

    Options that begin with a name concern those only. The last line is JSON: name -> result.
    """
    import json
    import time

    from realface.bench.benchmarks import BENCHMARKS, BenchSettings, run_benchmark, table_of
    from realface.core.files import write_json

    if unknown := [name for name in names or () if name not in BENCHMARKS]:
        raise typer.BadParameter(f"nothing to time is called {unknown[0]!r}; known: {', '.join(BENCHMARKS)}")
    settings = BenchSettings(
        repeats=repeats,
        models={str(path): path for path in model} if model else None,
        device=device,
        batch_size=batch_size,
        num_frames=frames,
        videos=videos,
        crops=crops,
    )
    results = {}
    for name in dict.fromkeys(names or BENCHMARKS):
        results[name] = run_benchmark(name, settings)
        print("\n".join(table_of(results[name])), flush=True)
        if out is not None:
            path = out / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
            write_json(path, results[name])
            print(f"written: {path}")
    print(json.dumps(results))
