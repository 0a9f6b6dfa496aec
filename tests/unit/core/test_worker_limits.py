from types import SimpleNamespace

import pytest

from realface.core import worker_limits
from realface.core.errors import LoadingError
from realface.core.worker_limits import allowed_workers, free_files, free_shared_memory

PAGE = 4096


@pytest.fixture
def machine(monkeypatch):
    """(shared memory, files) -> what is free; None for no limit. Nothing was said before."""

    def set_free(*, shared=None, files=None):
        monkeypatch.setattr(worker_limits, "free_shared_memory", lambda: shared)
        monkeypatch.setattr(worker_limits, "free_files", lambda: files)

    monkeypatch.setattr(worker_limits.os, "sysconf", lambda _: PAGE)
    monkeypatch.setattr(worker_limits, "_advised", set())
    set_free()
    return set_free


def test_all_workers_start_where_nothing_limits_them(machine, capsys):
    assert allowed_workers(64) == 64
    machine(shared=64_000_000, files=1000)
    assert allowed_workers(64) == 64
    assert capsys.readouterr().err == ""


def test_fewer_workers_start_if_shared_memory_is_short(machine, capsys):
    machine(shared=(8 + 3 * 5) * PAGE)
    assert allowed_workers(8) == 5
    assert capsys.readouterr().err == (
        "realface: note: /dev/shm has 94 kB free and 8 worker processes need 131 kB, so 5 will start; to use all, "
        "remove files from it, or start the container with `docker run --shm-size=1g`\n"
    )


def test_fewer_workers_start_if_open_files_are_few(machine, capsys):
    machine(files=16 + 4 * 3)
    assert allowed_workers(8) == 3
    assert "28 more files and 8 worker processes need 48, so 3 will start" in capsys.readouterr().err


def test_smallest_limit_counts(machine):
    machine(shared=(8 + 3 * 5) * PAGE, files=16 + 4 * 3)
    assert allowed_workers(8) == 3


def test_loaders_that_are_open_together_share_what_is_free(machine):
    machine(shared=2 * (8 + 3 * 5) * PAGE)
    assert allowed_workers(8, num_loaders=2) == 5


def test_fewer_workers_are_noted_once(machine, capsys):
    machine(files=30)
    assert [allowed_workers(8), allowed_workers(8)] == [3, 3]
    assert capsys.readouterr().err.count("\n") == 1


def test_refusal_says_what_is_needed_and_free_and_what_to_do(machine):
    machine(shared=3 * PAGE)
    with pytest.raises(LoadingError) as caught:
        allowed_workers(2)
    assert str(caught.value) == (
        "/dev/shm has 12 kB free and 2 worker processes need 57 kB; remove files from it, or start the container with "
        "`docker run --shm-size=1g`, or read without workers (data.workers=0 in a recipe, --workers 0)"
    )


def test_refusal_for_few_open_files_names_ulimit(machine):
    machine(files=-3)
    with pytest.raises(LoadingError, match=r"can open 0 more files and 2 .* need 24; raise the limit with `ulimit -n"):
        allowed_workers(2)


def statvfs(blocks, free):
    return lambda _: SimpleNamespace(f_blocks=blocks, f_bavail=free, f_frsize=4096)


@pytest.mark.parametrize(("blocks", "free", "expected"), [(16384, 2, 8192), (16384, 0, 0), (0, 0, None)])
def test_free_shared_memory_is_that_of_its_mount(monkeypatch, blocks, free, expected):
    monkeypatch.setattr(worker_limits.sys, "platform", "linux")
    monkeypatch.setattr(worker_limits.os, "statvfs", statvfs(blocks, free))
    assert free_shared_memory() == expected


def test_missing_or_other_shared_memory_is_no_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(worker_limits, "SHARED_MEMORY", tmp_path / "none")
    monkeypatch.setattr(worker_limits.sys, "platform", "linux")
    assert free_shared_memory() is None
    monkeypatch.setattr(worker_limits.sys, "platform", "darwin")
    assert free_shared_memory() is None
    assert free_files() is None


def test_free_files_are_the_limit_less_the_open_ones(monkeypatch, tmp_path):
    resource = pytest.importorskip("resource")
    for name in "abc":
        (tmp_path / name).touch()
    monkeypatch.setattr(worker_limits.sys, "platform", "linux")
    monkeypatch.setattr(worker_limits, "OPEN_FILES", tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    assert free_files() == 61
    monkeypatch.setattr(worker_limits, "OPEN_FILES", tmp_path / "a")  # cannot be listed
    assert free_files() is None
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 64))
    assert free_files() is None
