import os
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import active_children

import pytest
from PIL import Image

from realface.core import worker_limits
from realface.core.errors import LoadingError, RealfaceError
from realface.prepare import executors
from realface.prepare.executors import largest_first, num_workers, workers
from realface.prepare.record import PrepareJob


@pytest.fixture
def jobs(make_item, tmp_path):
    """Face crops, which need no face detector."""
    for number in range(8):
        Image.new("RGB", (24, 24), (number, 0, 0)).save(tmp_path / f"{number}.png")
    return [PrepareJob(number, make_item(tmp_path / f"{number}.png", video=str(number))) for number in range(8)]


@pytest.fixture
def output(output):
    return replace(output, are_crops=True)


@pytest.mark.parametrize("count", [0, 2])
def test_every_job_is_done_once_and_the_workers_may_be_asked_again(output, jobs, count):
    with workers(output, count) as do:
        for part in (jobs[:5], jobs[5:], []):
            assert sorted(index for index, _ in do(part)) == [job.index for job in part]
    assert active_children() == []


def test_no_worker_is_left_when_the_work_is_broken_off(output, jobs):
    """Another run may begin as soon as the folder is given free."""

    def break_off():
        with workers(output, 1) as do:
            for _ in do(jobs):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert active_children() == []
    assert list(output.scratch.iterdir()) == []


def test_a_killed_worker_is_explained_with_the_files_that_were_worked_on(output, jobs, monkeypatch, tmp_path):
    def broken(*_, **__):
        raise BrokenProcessPool("killed")

    monkeypatch.setattr(executors, "wait", broken)
    text = rf"a worker process was killed, .* at work on {tmp_path / '0.png'}, {tmp_path / '1.png'}; run the same"
    with pytest.raises(RealfaceError, match=text), workers(output, 2) as do:
        list(do(jobs))


def test_a_fault_of_ours_names_the_file(output, jobs, monkeypatch, tmp_path):
    def faulty(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(executors, "copy_crops", faulty)
    with pytest.raises(ZeroDivisionError) as caught, workers(output, 0) as do:
        list(do(jobs))
    assert caught.value.__notes__ == [f"while preparing {tmp_path / '0.png'}"]


def test_there_are_as_many_workers_as_cores_that_may_be_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7, 8}, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert (num_workers(None), num_workers(5), num_workers(0)) == (3, 5, 0)


def test_large_videos_come_first_and_pictures_keep_their_order(make_item, tmp_path):
    for name, size in {"a.mp4": 1, "b.mp4": 3, "c.png": 9, "d.png": 10, "e.mp4": 2}.items():
        (tmp_path / name).write_bytes(b"x" * size)
    items = [make_item(tmp_path / name) for name in ("a.mp4", "b.mp4", "c.png", "d.png", "e.mp4", "gone.mp4")]
    assert largest_first(range(6), items) == [1, 4, 0, 2, 3, 5]


def test_processes_that_cannot_start_are_refused_with_what_to_do(output, monkeypatch):
    monkeypatch.setattr(worker_limits, "free_shared_memory", lambda: 0)
    with pytest.raises(LoadingError, match=r"/dev/shm has 0 kB free .* `docker run --shm-size=1g`"), workers(output, 2):
        pytest.fail("started")
