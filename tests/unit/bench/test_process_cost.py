import os
import subprocess
import sys
from pathlib import Path

import pytest

from realface.bench.process_cost import ProcessCost, run_measured

MEGABYTE = 1_000_000


def run_python(code: str, folder: Path, **environment: str) -> ProcessCost:
    command = [sys.executable, "-S", "-c", code]
    return run_measured(command, environment={**os.environ, **environment}, folder=folder)


def test_output_errors_exit_code_folder_and_environment(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['MINE']); print('why', file=sys.stderr); sys.exit(3)"
    cost = run_python(code, tmp_path, MINE="set")
    assert (cost.exit_code, cost.output, cost.errors) == (3, f"{tmp_path} set\n", "why\n")


def test_a_program_that_a_signal_ended_has_its_negative_number(tmp_path: Path) -> None:
    assert run_python("import os; os.kill(os.getpid(), 9)", tmp_path).exit_code == -9


def test_processes_that_the_program_started_are_counted(tmp_path: Path) -> None:
    # no assertion on how long it took: a loop that ends after 0.2 CPU seconds of its own used them
    loop = "import time\nwhile time.process_time() < 0.2: pass"
    cost = run_python(f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {loop!r}])", tmp_path)
    assert cost.cpu_s >= 0.2
    assert cost.wall_s > 0


def test_peak_memory_is_the_programs_own(tmp_path: Path) -> None:
    held = bytearray(120 * MEGABYTE)  # a new process would begin with the peak of this one
    small, large = (run_python(f"bytearray({size})", tmp_path).peak_bytes for size in (1, 60 * MEGABYTE))
    assert len(held) == 120 * MEGABYTE
    assert small < 60 * MEGABYTE < large < 120 * MEGABYTE


def test_a_program_that_does_not_exist_fails_with_the_reason(tmp_path: Path) -> None:
    cost = run_measured([str(tmp_path / "nothing")], environment=dict(os.environ), folder=tmp_path)
    assert cost.exit_code != 0
    assert "FileNotFoundError" in cost.errors


def test_ctrl_c_kills_the_program_and_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    inner = f"import time; pipe = open({str(pipe)!r}, 'w'); time.sleep(30); pipe.write('alive')"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {inner!r}])"
    wait, opened = subprocess.Popen.wait, []

    def interrupted(process: "subprocess.Popen[bytes]", timeout: float | None = None) -> int:
        monkeypatch.setattr(subprocess.Popen, "wait", wait)
        opened.append(pipe.open())  # returns when the inner program has opened it, too
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_python(outer, tmp_path)
    with opened[0] as reader:
        assert reader.read() == ""  # the pipe ends when the inner program does
