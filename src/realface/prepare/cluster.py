"""The same work per file on a Ray cluster, by Ray Data.

Every node must see the source and the output folder under the same paths, as on a shared file system.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from realface.core.errors import PrepareError
from realface.prepare.executors import Done, use_one_thread, work_of
from realface.prepare.record import ItemRecord, Task
from realface.prepare.workplace import Workplace

TASKS_PER_BLOCK = 4  # small, so that records come back and are written down soon


def do_on_ray(tasks: Iterable[Task], place: Workplace, *, num_tasks: int, workers: int | None) -> Done:
    """Do the tasks on the cluster that Ray finds, or on one that it starts here.

    Args:
        tasks: in any number; all of them are sent to the cluster at once.
        place: as for every other way.
        num_tasks: how many there are, at least 1.
        workers: at most so many at once; as many as the cluster has cores when None.

    Raises:
        PrepareError: Ray is not installed.
    """
    try:
        import ray
        from ray.data import ActorPoolStrategy, DataContext
    except ImportError as error:
        raise PrepareError('--cluster ray needs Ray; install it: pip install "realface[cluster]"') from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    DataContext.get_current().enable_progress_bars = False  # ours counts files
    num_cores = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    most = min(workers or num_cores, num_tasks)
    sent = [{"task": pickle.dumps(task)} for task in tasks]
    blocks = -(-num_tasks // TASKS_PER_BLOCK)
    done = ray.data.from_items(sent, override_num_blocks=blocks).map(
        _Worker,  # type: ignore[arg-type] # a class: one object per actor
        fn_constructor_args=(replace(place, threads=1),),
        compute=ActorPoolStrategy(min_size=1, max_size=most),
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
