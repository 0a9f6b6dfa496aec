"""Seconds and memory of a program, from its start to its end.

This file is also a program that imports only the standard library. It starts the measured command. A new process begins
with the peak memory of the process that started it, so that process must be small.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessCost:
    """Time, memory and output of one run of a program.

    Attributes:
        wall_s: seconds from start to end.
        cpu_s: seconds of user and system time, including all processes that it started and waited for.
        peak_bytes: peak memory of the largest of these processes, not of their sum.
        exit_code: exit code of the program; minus the number of the signal if a signal ended it.
        output: standard output of the program.
        errors: standard error of the program.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    exit_code: int
    output: str
    errors: str


def run_measured(command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> ProcessCost:
    """Run a command and measure it.

    If this process is interrupted, the command and all processes that it started are killed.

    Args:
        command: the program's path and its arguments.
        environment: all environment variables of the program.
        folder: working directory of the program.
    """
    with tempfile.TemporaryDirectory() as temporary:
        output, errors, cost = (Path(temporary, name) for name in ("output", "errors", "cost"))
        launcher = [sys.executable, "-I", "-S", __file__, str(cost), *command]
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                launcher,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                cwd=folder,
                start_new_session=True,  # a separate process group, so that all its processes can be killed together
            )
            try:
                process.wait()
            except BaseException:  # Ctrl-C too
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in (output, errors)]
        if process.returncode:  # the launcher itself failed, or was killed
            return ProcessCost(0.0, 0.0, 0, process.returncode, *texts)
        return ProcessCost(**json.loads(cost.read_text(encoding="utf-8")), output=texts[0], errors=texts[1])


def _launch(cost_file: str, *command: str) -> None:
    """Run the command with this process's environment and streams, and write its cost as JSON."""
    start = time.perf_counter()
    _, status, usage = os.wait4(os.posix_spawn(command[0], command, os.environ), 0)
    cost = {
        "wall_s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    Path(cost_file).write_text(json.dumps(cost), encoding="utf-8")


if __name__ == "__main__":
    _launch(*sys.argv[1:])
