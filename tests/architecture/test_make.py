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
        command = ["make", *words, f"PYTHON={python}"]
        clean = {"PATH": os.environ["PATH"]}  # without the variables and settings of a `make` that runs this test
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


SETTINGS = "OMP_NUM_THREADS ATEN_CPU_CAPABILITY ONEDNN_MAX_CPU_ISA MKL_CBWR MKL_ENABLE_INSTRUCTIONS"


@pytest.fixture
def checkout_with_pytest(tmp_path: Path) -> Checkout:
    """A checkout whose `pytest` writes down its arguments and settings, and fails where a file `fails` names both."""
    checkout = Checkout(tmp_path, stand_in())
    checkout.make("setup")
    checkout.calls()
    line = " ".join(f"${{{name}:--}}" for name in SETTINGS.split())
    script = f'#!/bin/sh\necho "{line} $*" >> calls\n! grep -qsx "{line}" fails\n'
    (tmp_path / ".venv" / "bin" / "pytest").write_text(script)
    return checkout


def test_the_quick_tests_run_under_each_instruction_set_and_thread_count(checkout_with_pytest: Checkout) -> None:
    answer = checkout_with_pytest.make("test-cpus", "CPUS=sse4 avx2 native")
    assert answer.returncode == 0, answer.stderr
    pytest_words = "-n auto --maxprocesses 8 --dist loadscope -m not long"
    assert checkout_with_pytest.calls() == [
        f"{threads} {settings} {pytest_words}"
        for settings in ("default SSE41 COMPATIBLE -", "avx2 AVX2 - AVX2", "- - - -")
        for threads in (1, 2)
    ]


def test_each_setting_has_a_line_before_and_after_its_tests(checkout_with_pytest: Checkout) -> None:
    lines = checkout_with_pytest.make("test-cpus", "CPUS=avx2 native", "THREADS=2").stdout.splitlines()
    assert lines[0].startswith(
        "== avx2, threads: 2 (OMP_NUM_THREADS=2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 "
    )
    assert lines[1:] == [
        "== avx2, threads: 2: passed",
        "== native, threads: 2 (OMP_NUM_THREADS=2)",
        "== native, threads: 2: passed",
    ]


def test_a_part_of_the_tests_can_be_chosen(checkout_with_pytest: Checkout) -> None:
    chosen = ["TESTS=tests/unit/models tests/parity", "CPUS=native", "THREADS=1"]
    checkout_with_pytest.make("test-cpus", *chosen)
    assert [call.partition("-m ")[2] for call in checkout_with_pytest.calls()] == [
        "not long tests/unit/models tests/parity"
    ]


def test_a_failure_under_one_setting_is_named_after_all_have_run(checkout_with_pytest: Checkout) -> None:
    (checkout_with_pytest.folder / "fails").write_text("2 avx2 AVX2 - AVX2\n")
    answer = checkout_with_pytest.make("test-cpus", "CPUS=avx2 native")
    assert answer.returncode != 0
    assert len(checkout_with_pytest.calls()) == 4
    assert "== avx2, threads: 2: FAILED" in answer.stdout.splitlines()
    assert answer.stderr.splitlines()[0] == "make: tests failed under: avx2/2"


def test_an_unknown_instruction_set_is_refused(checkout_with_pytest: Checkout) -> None:
    answer = checkout_with_pytest.make("test-cpus", "CPUS=avx2 sse9")
    assert answer.returncode != 0
    assert "CPUS must name sse4, avx2 or native, got: avx2 sse9" in answer.stderr
    assert checkout_with_pytest.calls() == []


def test_help_names_every_target() -> None:
    text = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    phony = next(line for line in (CHECKOUT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert [name for name in phony.split()[1:] if name != "help" and f"make {name} " not in text] == []


def test_the_constraints_pin_exactly_and_nothing_of_one_platform_only() -> None:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if pin.count("==") != 1 or "@" in pin] == []
    assert [pin for pin in pins if pin.startswith(("nvidia-", "cuda-", "triton", "realface"))] == []
