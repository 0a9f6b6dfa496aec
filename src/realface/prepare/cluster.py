"""The same work per file on a Ray cluster, by Ray Data.

Every node must see the source and the output folder under the same paths, as on a shared file system.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice, takewhile
from typing import Any

from realface.core.errors import PrepareError
from realface.prepare.executors import Do, Done, use_one_thread, work_of
from realface.prepare.output_folder import OutputFolder
from realface.prepare.record import ItemRecord, PrepareJob

JOBS_PER_BLOCK = 4  # small, so that records come back and are written down soon
MOST_SENT = 20_000  # with the boxes of their originals some 20 kB each


@contextmanager
def ray_workers(output: OutputFolder, count: int | None) -> Iterator[Do]:
    """Yield a function that runs jobs on the cluster that Ray finds, or on a cluster started here.

    Args:
        output: output folder, the same for all jobs.
        count: largest number of concurrent jobs. Default: the number of cores of the cluster.

    Raises:
        PrepareError: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise PrepareError("--cluster ray needs Ray", hint='install it: pip install "realface[cluster]"') from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    num_cores = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    yield partial(_do_on_ray, output=replace(output, threads=1), most=count or num_cores)


def _do_on_ray(jobs: Iterable[PrepareJob], *, output: OutputFolder, most: int) -> Done:
    """Run the jobs; at most `MOST_SENT` jobs are sent to the cluster at a time.

    Raises:
        PrepareError: a worker failed; the text contains the reason.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    DataContext.get_current().enable_progress_bars = False  # ours counts files
    rest = iter(jobs)
    while sent := [{"job": pickle.dumps(job)} for job in islice(rest, MOST_SENT)]:
        done = ray.data.from_items(sent, override_num_blocks=-(-len(sent) // JOBS_PER_BLOCK)).map(
            _Worker,  # type: ignore[arg-type] # a class: one object per actor
            fn_constructor_args=(output,),
            compute=ActorPoolStrategy(min_size=1, max_size=min(most, len(sent))),
            num_cpus=1,
        )
        try:
            for row in done.iter_rows():
                yield int(row["index"]), ItemRecord.from_json(row["record"])
        except ray.exceptions.RayError as error:
            raise PrepareError(
                f"a job on the cluster failed: {_what_was_raised(error)}",
                hint="correct that and run the same command again; finished files are kept",
            ) from error


def _what_was_raised(error: Exception) -> str:
    """Return the last lines of a worker's traceback, from the text of Ray's own error."""
    lines = str(error).partition("\n\nThe above exception")[0].rstrip().splitlines()
    return ", ".join(reversed(list(takewhile(lambda line: not line.startswith(" "), reversed(lines)))))


class _Worker:
    """Actor of the cluster: runs the work and keeps its face detector's weights in memory."""

    def __init__(self, output: OutputFolder) -> None:
        use_one_thread()
        self._work: Callable[[PrepareJob], ItemRecord] = work_of(output)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        job: PrepareJob = pickle.loads(row["job"])  # noqa: S301 (made by the driver)
        return {"index": job.index, "record": self._work(job).to_json()}
