import errno
import fcntl
import os
import platform
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from realface.core.errors import OutputExistsError
from realface.core.lock import locked

HOLD = """
import os, sys, time
from pathlib import Path
from realface.core.lock import locked
with locked(Path(sys.argv[1])):
    child = os.fork()  # as workers are
    if child:
        print(child, flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process(folder):
    """(pid of a process that holds the folder's lock, pid of a child of it)."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as holder:
        child = int(holder.stdout.readline())
        try:
            yield holder.pid, child
        finally:
            holder.kill()
            os.kill(child, signal.SIGKILL)


def test_folder_in_which_another_process_writes_is_refused_with_its_name(tmp_path):
    with another_process(tmp_path) as (holder, _):
        told = rf"another process is writing in .* \(process {holder} on {platform.node()}\); stop it, or wait"
        with pytest.raises(OutputExistsError, match=told), locked(tmp_path):
            pytest.fail("went in")


def test_killed_process_leaves_no_lock_though_its_workers_live(tmp_path):
    with another_process(tmp_path) as (holder, child):
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        os.kill(child, 0)  # it lives
        with locked(tmp_path):
            assert (tmp_path / ".lock").read_text(encoding="utf-8") == f"process {os.getpid()} on {platform.node()}\n"


def test_folder_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            pass
    with another_process(tmp_path):  # which has got it
        pass


def test_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with locked(tmp_path):
        told = capsys.readouterr().err
    assert told == (
        f"realface: warning: {tmp_path} cannot be locked ([Errno {errno.ENOLCK}] No locks available); let no other "
        "process write there\n"
    )
