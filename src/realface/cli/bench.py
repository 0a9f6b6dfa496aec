"""`realface bench`: measure the speed of Realface on this machine."""

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

NAMES = "Benchmarks to run: verdict, loader, decode, prepare, manifest, pseudo_fakes, recce, rffr. Default: all."
VERDICT, PREPARE = "verdict: ", "prepare: "
MODELS, DEVICES, CROPS = "verdict, recce: ", "verdict, recce, rffr: ", "recce, rffr: "


Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help=NAMES)]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder in which each result is also written, as a new JSON file.")
]
Repeats = Annotated[int, typer.Option(min=1, help="Number of repeats of each timing.")]
Model = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="ARTIFACT", help=MODELS + "artifact to time. Default: RECCE in two sizes, with random weights."
    ),
]
Device = Annotated[str, typer.Option(help=DEVICES + "auto, cpu, cuda, cuda:N or mps.")]
BatchSize = Annotated[int, typer.Option(min=1, help=VERDICT + "number of frames, and of faces, per batch.")]
Frames = Annotated[
    int | None, typer.Option(min=1, help=VERDICT + "number of frames per video. Default: as in the model.")
]
Videos = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help=PREPARE + "folder of videos. Default: seven generated videos. With --against, also used by decode.",
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="REV",
        help="Compare this source tree with another commit of its git repository (decode, prepare and verdict).",
    ),
]
Crops = Annotated[Path | None, typer.Option(help=CROPS + "folder or manifest of face crops. Default: two portraits.")]


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
    """Measure the speed of Realface on this machine.

    Each number is the median of the repeats, with minimum and maximum.

    verdict: a 10 s video of 1280 x 720 pixels, from the file to the verdict, by stage.

    loader: face crops of 299 pixels through the training loader, and the time that training waits for them.

    decode: 32 evenly spread frames of a video with few key frames, compared with decoding all 300 frames.

    prepare: videos to stored face crops, with one process and with two, and by stage.

    manifest: 3,000,000 rows opened, filtered and sampled, the peak memory, and the memory that each loader worker adds.

    pseudo_fakes: pairs of a real face and its fake per CPU second, by kind.

    recce: inference and a training step, compared with the loop over positions, memory layout and float32 of the
    authors' release; score differences and peak memory. Needs a checkout of the repository.

    rffr: the residual and a training step, compared with one pass per block in float32, as in the authors' release;
    residual differences and peak memory. Needs a checkout of the repository.

    If the help of an option begins with names, the option affects only these benchmarks. The last line of the output
    is JSON that maps each name to its result.

    With --against, this source tree and another commit do the same work in interleaved order, each time in a new
    process, and the ratios of wall seconds, CPU seconds and memory are shown. decode reads several kinds of video;
    prepare and verdict run the commands `realface prepare` and `realface detect`.
    """
    from realface.bench.benchmarks import BENCHMARKS, BenchSettings, run_benchmark, runnable

    _check_names(names or [])
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


def _check_names(names: Sequence[str]) -> None:
    """Refuse unknown benchmarks, and benchmarks whose reference cannot be loaded, before anything is timed."""
    from realface.bench.benchmarks import BENCHMARKS
    from realface.bench.references import load_reference

    if unknown := [name for name in names if name not in BENCHMARKS]:
        raise typer.BadParameter(f"unknown benchmark {unknown[0]!r}; use one of {', '.join(BENCHMARKS)}")
    for name in names:
        if (method := BENCHMARKS[name].reference) is not None:
            load_reference(method)


def _compare(names: Sequence[str], settings: BenchSettings, revision: str, out: Path | None) -> None:
    """Compare the named benchmarks, or all that support it, with another commit."""
    from realface.bench.benchmarks import comparable, run_comparison
    from realface.bench.source_trees import source_trees

    known = comparable()
    if unsupported := [name for name in names if name not in known]:
        raise typer.BadParameter(f"benchmark {unsupported[0]} does not support --against; use {', '.join(known)}")
    with _stoppable(), source_trees(revision) as trees:
        suffix = f"-against-{trees[1].commit[:12]}"
        _print_results(names or known, lambda name: run_comparison(name, settings, trees), out, suffix)


def _print_results(
    names: Sequence[str], measure: Callable[[str], dict[str, Any]], out: Path | None, suffix: str = ""
) -> None:
    """Run each benchmark once, print and write its result, and print all results as JSON."""
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
    """Handle SIGTERM like Ctrl-C: kill the running program and remove the worktree."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise StoppedBySignal(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
