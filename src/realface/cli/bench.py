"""`realface bench`: how fast the program is on this machine."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realface.core.errors import StoppedBySignal

if TYPE_CHECKING:
    from types import FrameType

    from realface.bench.benchmarks import BenchSettings

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
    Path | None,
    typer.Option(
        metavar="DIR",
        help=PREPARE + "folder of videos; seven made-up ones by default. With --against, decode reads them too.",
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="REV",
        help="Compare this tree with another commit of its git repository; decode, prepare and verdict only.",
    ),
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
    against: Against = None,
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

    With --against, this tree and the other commit do the same work by turns, each time in a fresh process, and the
    ratios of their wall seconds, CPU seconds and memory are shown. decode: several kinds of video. prepare, verdict:
    the whole commands `realface prepare` and `realface detect`.
    """
    from realface.bench.benchmarks import BENCHMARKS, BenchSettings, run_benchmark, runnable
    from realface.bench.references import load_reference

    if unknown := [name for name in names or () if name not in BENCHMARKS]:
        raise typer.BadParameter(f"nothing to time is called {unknown[0]!r}; known: {', '.join(BENCHMARKS)}")
    for name in names or ():
        if (method := BENCHMARKS[name].reference) is not None:
            load_reference(method)  # fails before anything is timed
    settings = BenchSettings(
        repeats=repeats,
        models={str(path): path for path in model} if model else None,
        device=device,
        batch_size=batch_size,
        num_frames=frames,
        videos=videos,
        crops=crops,
    )
    if against is not None:
        _compare(names or [], settings, against, out)
    else:
        if not names and (skipped := [name for name in BENCHMARKS if name not in runnable()]):
            print(f"skipped: {', '.join(skipped)} (only available in a checkout of the repository)", file=sys.stderr)
        _print_results(names or runnable(), lambda name: run_benchmark(name, settings), out)


def _compare(names: Sequence[str], settings: BenchSettings, revision: str, out: Path | None) -> None:
    """Compare the benchmarks of these names, or all that can be compared, with another commit."""
    from realface.bench.benchmarks import comparable, run_comparison
    from realface.bench.source_trees import source_trees

    known = comparable()
    if unsupported := [name for name in names if name not in known]:
        raise typer.BadParameter(
            f"{unsupported[0]} cannot be compared with another commit; --against supports {', '.join(known)}"
        )
    with _stoppable(), source_trees(revision) as trees:
        suffix = f"-against-{trees[1].commit[:12]}"
        _print_results(names or known, lambda name: run_comparison(name, settings, trees), out, suffix)


def _print_results(
    names: Sequence[str], measure: Callable[[str], dict[str, Any]], out: Path | None, suffix: str = ""
) -> None:
    """Measure each benchmark once, print and write its result, and print all results as JSON."""
    from realface.bench.benchmarks import table_of
    from realface.core.files import write_json

    results = {}
    for name in dict.fromkeys(names):
        results[name] = measure(name)
        print("\n".join(table_of(results[name])), flush=True)
        if out is not None:
            path = out / f"{name}{suffix}-{time.strftime('%Y%m%d-%H%M%S')}.json"
            write_json(path, results[name])
            print(f"written: {path}")
    print(json.dumps(results))


@contextmanager
def _stoppable() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C: kill the program that is timed and remove the worktree."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise StoppedBySignal(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
