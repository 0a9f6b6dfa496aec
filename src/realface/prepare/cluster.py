"""The same work per file on a Ray cluster, by Ray Data.

Every node must see the source and the output folder under the same paths, as on a shared file system.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from realface.core.errors import PrepareError
from realface.prepare.executors import Do, Done, use_one_thread, work_of
from realface.prepare.record import ItemRecord, Task
from realface.prepare.workplace import Workplace

TASKS_PER_BLOCK = 4  # small, so that records come back and are written down soon


@contextmanager
def ray_workers(place: Workplace, count: int | None) -> Iterator[Do]:
    """Something that does tasks on the cluster that Ray finds, or on one that it starts here.

    Args:
        place: the same for all tasks.
        count: at most so many tasks at once; as many as the cluster has cores when None.

    Raises:
        PrepareError: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise PrepareError('--cluster ray needs Ray; install it: pip install "realface[cluster]"') from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    num_cores = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    yield partial(_do_on_ray, place=replace(place, threads=1), most=count or num_cores)


def _do_on_ray(tasks: Iterable[Task], *, place: Workplace, most: int) -> Done:
    """Do the tasks, which are all sent to the cluster at once."""
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    sent = [{"task": pickle.dumps(task)} for task in tasks]
    if not sent:
        return
    DataContext.get_current().enable_progress_bars = False  # ours counts files
    blocks = -(-len(sent) // TASKS_PER_BLOCK)
    done = ray.data.from_items(sent, override_num_blocks=blocks).map(
        _Worker,  # type: ignore[arg-type] # a class: one object per actor
        fn_constructor_args=(place,),
        compute=ActorPoolStrategy(min_size=1, max_size=min(most, len(sent))),
        num_cpus=1,
    )
    for row in done.iter_rows():
        yield int(row["index"]), ItemRecord.from_json(row["record"])


class _Worker:
    """What an actor of the cluster holds: the work, with its finder's weights."""

    def __init__(self, place: Workplace) -> None:
        use_one_thread()
        self._work: Callable[[Task], ItemRecord] = work_of(place)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        task: Task = pickle.loads(row["task"])  # noqa: S301 (made by the driver)
        return {"index": task.index, "record": self._work(task).to_json()}
