"""The Makefile's set-up, with a stand-in for Python whose programs only write down how they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = "pip pytest realface ruff mypy lint-imports"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def stand_in(
    *, version: str = "3.12.1", is_new_enough: bool = True, has_venv: bool = True, pip_works: bool = True
) -> str:
    """A shell script that answers as that Python would."""
    return f"""#!/bin/sh
case "$*" in
  *version_info*) exit {0 if is_new_enough else 1} ;;
  *ensurepip*) exit {0 if has_venv else 1} ;;
  -V) echo "Python {version}" ;;
  "-m venv "*)
    mkdir -p "$3/bin"
    for name in {PROGRAMS}; do
      printf '#!/bin/sh\\necho "%s $*" >> calls\\n' "$name" > "$3/bin/$name"
      chmod +x "$3/bin/$name"
    done
    {"" if pip_works else 'echo "exit 1" >> "$3/bin/pip"'}
    echo "venv" >> calls ;;
esac
"""


class Checkout:
    """A folder with the Makefile and a stand-in called `python`."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder = folder
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(CHECKOUT / name, folder / name)
        (folder / "python").write_text(script)
        (folder / "python").chmod(0o755)

    def make(self, *words: str, python: str = "./python") -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        command = ["make", *words, f"PYTHON={python}"]
        return subprocess.run(command, cwd=self.folder, env=clean, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        """What was called since the last time."""
        log = self.folder / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


def test_the_first_demo_sets_up_and_the_second_does_not(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, stand_in())
    assert checkout.make("demo").returncode == 0
    assert checkout.calls() == ["venv", "pip install -q -c constraints.txt -e .[dev]", "realface demo"]
    assert checkout.make("test").returncode == 0
    assert checkout.calls() == ["pytest -n auto --maxprocesses 8 --dist loadscope -m not long"]


def test_changed_constraints_are_installed_again(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, stand_in())
    checkout.make("setup")
    checkout.calls()
    os.utime(tmp_path / "constraints.txt", (2e9, 2e9))
    checkout.make("setup")
    assert "pip install -q -c constraints.txt -e .[dev]" in checkout.calls()


def test_a_set_up_that_failed_is_tried_again(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, stand_in(pip_works=False))
    assert checkout.make("demo").returncode != 0
    assert "realface demo" not in checkout.calls()
    checkout.make("demo")
    assert "venv" in checkout.calls()


def test_torch_comes_first_and_alone_from_the_index_that_is_named(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, stand_in())
    checkout.make("setup", "TORCH_INDEX=https://example.org/cpu")
    assert checkout.calls() == [
        "venv",
        "pip install -q -c constraints.txt --no-deps --index-url https://example.org/cpu torch torchvision",
        "pip install -q -c constraints.txt -e .[dev]",
    ]


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (
            stand_in(version="3.9.18", is_new_enough=False),
            "make: Realface needs Python 3.11 or newer, but ./python is Python 3.9.18; "
            "name another: make PYTHON=python3.12",
        ),
        (
            stand_in(has_venv=False),
            "make: ./python cannot make virtual environments; install its venv package "
            "(Debian, Ubuntu: apt install python3-venv)",
        ),
    ],
    ids=["too old", "without venv"],
)
def test_a_python_that_will_not_do_gets_one_clear_line(tmp_path: Path, script: str, line: str) -> None:
    checkout = Checkout(tmp_path, script)
    answer = checkout.make("demo")
    assert answer.stderr.splitlines()[0] == line
    assert answer.returncode != 0
    assert checkout.calls() == []


def test_a_python_that_is_not_here_gets_one_clear_line(tmp_path: Path) -> None:
    answer = Checkout(tmp_path, stand_in()).make("demo", python="./nowhere")
    assert answer.stderr.splitlines()[0] == (
        "make: ./nowhere is not here; install Python 3.11 or newer, or name one: make PYTHON=python3.12"
    )


@pytest.mark.parametrize(
    ("words", "options"),
    [([], ""), (["VIDEOS=my_videos", "AGAINST=HEAD~1"], " --videos my_videos --against HEAD~1")],
    ids=["by default", "with variables"],
)
def test_bench_passes_its_variables_on(tmp_path: Path, words: list[str], options: str) -> None:
    checkout = Checkout(tmp_path, stand_in())
    checkout.make("bench", *words)
    assert [" ".join(line.split()) for line in checkout.calls()][-1] == (
        f"realface bench --out benchmarks/results{options}"
    )


def test_help_names_every_target() -> None:
    text = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    phony = next(line for line in (CHECKOUT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert [name for name in phony.split()[1:] if name != "help" and f"make {name} " not in text] == []


def test_the_constraints_pin_exactly_and_nothing_of_one_platform_only() -> None:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if pin.count("==") != 1 or "@" in pin] == []
    assert [pin for pin in pins if pin.startswith(("nvidia-", "cuda-", "triton", "realface"))] == []
