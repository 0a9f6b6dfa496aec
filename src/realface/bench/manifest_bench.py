"""Time and memory to open, filter and sample a manifest of millions of rows, and memory of each loader worker."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from realface.bench.long_manifest import write_long_manifest
from realface.bench.memory import peak_resident_bytes
from realface.bench.timing_stats import format_stats, summarise
from realface.core.progress import progress
from realface.manifest.manifest import Manifest

NUM_ROWS = 3_000_000
WORKERS = 4
ROWS_PER_WORKER = 4000
STEPS = {
    "open": "opened",
    "filter": "training rows filtered",
    "labels": "labels read",
    "sampler": "balanced sampler built",
    "epoch": "one epoch sampled",
}
PEAKS = {
    "open": "peak after opening",
    "draw": "peak after sampling",
    "load": "peak after loading",
}


def bench_manifest(*, repeats: int = 5, num_rows: int = NUM_ROWS, quiet: bool = False) -> dict[str, Any]:
    """Time a generated manifest, each time in a new process, so that peaks of memory are independent.

    The file is in the system's file cache. The workers look up the files and labels of their rows, the step before
    decoding. The crops themselves do not exist.

    Args:
        repeats: number of repeats.
        num_rows: number of rows of the manifest.
        quiet: show no progress.

    Returns:
        JSON-ready: `seconds` by step; `peak_bytes`, the peak memory of the process after each step, including Python
        and packages, and torch after opening; `worker_bytes`, the largest memory that a worker shares with no other
        process, None if the system does not report it. Each is the median, minimum and maximum of the repeats.
    """
    start_method = multiprocessing.get_start_method()  # used by training; the default differs in new processes
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "manifest.parquet"
        num_videos = _in_fresh_process(write_long_manifest, file, num_rows)
        file_bytes = file.stat().st_size
        runs: list[dict[str, Any]] = []
        with progress("bench manifest", repeats, unit="runs", quiet=quiet) as bar:
            for _ in range(repeats):
                runs.append(_in_fresh_process(_use, file, start_method))
                bar.advance()
    known = [run["worker_bytes"] for run in runs if run["worker_bytes"] is not None]
    return {
        "size": {"rows": num_rows, "videos": num_videos, "file_bytes": file_bytes},
        "seconds": {step: summarise([run["seconds"][step] for run in runs]) for step in STEPS},
        "peak_bytes": {moment: summarise([run["peak_bytes"][moment] for run in runs]) for moment in PEAKS},
        "workers": {
            "number": WORKERS,
            "start_method": start_method,
            "rows_each": ROWS_PER_WORKER,
            "path_bytes": runs[0]["path_bytes"],
            "worker_bytes": summarise(known) if known else None,
        },
    }


def manifest_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_manifest` as lines of text."""
    size, peaks, workers = result["size"], result["peak_bytes"], result["workers"]
    own = "not reported by this system"
    if workers["worker_bytes"] is not None:
        own = f"{format_stats(_megabytes(workers['worker_bytes']), '.0f')} MB"
    return [
        f"  {size['rows']} rows of {size['videos']} videos, a file of {size['file_bytes'] / 1e6:.0f} MB",
        *(f"  {text:<26}{format_stats(result['seconds'][step], '7.3f')} s" for step, text in STEPS.items()),
        *(f"  {text:<26}{format_stats(_megabytes(peaks[moment]), '7.0f')} MB" for moment, text in PEAKS.items()),
        f"  private memory of the largest of {workers['number']} workers ({workers['start_method']}) after "
        f"{workers['rows_each']} rows each: {own}; the paths take {workers['path_bytes'] / 1e6:.0f} MB",
    ]


def _in_fresh_process(function: Callable[..., Any], *arguments: object) -> Any:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _use(file: Path, start_method: str) -> dict[str, Any]:
    """Open the manifest and use it like training."""
    start = time.perf_counter()
    manifest = Manifest.read(file)
    seconds = {"open": time.perf_counter() - start}
    peaks = {"open": peak_resident_bytes()}
    from realface.bench.manifest_work import choose_and_draw, worker_bytes  # with torch, which opening does not need

    train, further = choose_and_draw(manifest)
    peaks["draw"] = peak_resident_bytes()
    own = worker_bytes(train, workers=WORKERS, rows_each=ROWS_PER_WORKER, start_method=start_method)
    peaks["load"] = peak_resident_bytes()
    return {
        "seconds": seconds | further,
        "peak_bytes": peaks,
        "worker_bytes": own,
        "path_bytes": train.columns["path"].nbytes,
    }


def _megabytes(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value / 1e6 for name, value in values.items()}
