import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from realface.bench import comparison as module
from realface.bench.comparison import Case, Comparison, compare, comparison_table, whole_process
from realface.bench.process_cost import ProcessCost
from realface.bench.source_trees import SourceTree
from realface.core.errors import BenchmarkError

COST = ProcessCost(wall_s=2.0, cpu_s=3.0, peak_bytes=4, exit_code=0, output="", errors="")


@pytest.fixture
def trees(tmp_path: Path) -> tuple[SourceTree, SourceTree]:
    for name in ("a", "b"):
        (tmp_path / name / "realface").mkdir(parents=True)
        (tmp_path / name / "realface" / "__init__.py").write_text(f"name = {name!r}\n")
    return SourceTree("this tree", "aaaa", tmp_path / "a"), SourceTree("old", "bbbb", tmp_path / "b")


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


Ran = list[tuple[str, str]]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, trees: tuple[SourceTree, SourceTree]) -> Ran:
    """What was run: tree and argument. Nothing runs: this tree takes the round's number, the other twice that."""
    runs: Ran = []

    def run_measured(command: list[str], *, environment: dict[str, str], folder: Path) -> ProcessCost:
        sources = environment["PYTHONPATH"].split(":")[0]
        if "-c" in command:
            return replace(COST, output=f"{sources}/realface/__init__.py\n")
        name = Path(sources).name
        runs.append((name, command[1]))
        number = runs.count((name, command[1]))
        return replace(COST, wall_s=number * (1 if name == "a" else 2), cpu_s=number * (3 if name == "a" else 2))

    monkeypatch.setattr(module, "run_measured", run_measured)
    return runs


def case(name: str, count: Callable[[ProcessCost, Path], int] = lambda _cost, _out: 6) -> Case:
    return Case(arguments=lambda _out: [name], measure=whole_process(count))


def run(trees: tuple[SourceTree, SourceTree], outputs: Path, *, repeats: int = 1, **cases: Case) -> dict[str, Any]:
    return compare(
        Comparison("reading", "frames", cases, {"clip": "small"}), trees, repeats=repeats, folder=outputs, quiet=True
    )


def test_trees_take_turns_and_the_first_round_does_not_count(
    trees: tuple[SourceTree, SourceTree], outputs: Path, ran: Ran
) -> None:
    result = run(trees, outputs, repeats=2, x=case("x"), y=case("y"))
    assert ran == [
        *[("b", "x"), ("a", "x"), ("b", "y"), ("a", "y")],
        *[("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")],
        *[("b", "x"), ("a", "x"), ("b", "y"), ("a", "y")],
    ]
    assert result["cases"]["x"]["this"]["wall_s"] == {"median": 2.5, "min": 2, "max": 3}
    assert result["cases"]["x"]["other"]["wall_s"] == {"median": 5, "min": 4, "max": 6}
    assert result["cases"]["x"]["this"]["per_s"] == {"median": 2.5, "min": 2, "max": 3}
    assert result["cases"]["x"]["this"]["count"] == 6


def test_ratios_are_of_two_runs_of_the_same_round(
    trees: tuple[SourceTree, SourceTree], outputs: Path, ran: Ran
) -> None:
    result = run(trees, outputs, repeats=3, x=case("x"))
    assert result["cases"]["x"]["ratio"] == {
        "wall_s": {"median": 0.5, "min": 0.5, "max": 0.5},
        "cpu_s": {"median": 1.5, "min": 1.5, "max": 1.5},
        "peak_bytes": {"median": 1, "min": 1, "max": 1},
    }
    assert result["against"] == {"revision": "old", "commit": "bbbb", "this_commit": "aaaa"}
    assert (result["summary"], result["unit"], result["inputs"]) == ("reading", "frames", {"clip": "small"})
    assert json.loads(json.dumps(result)) == result


def test_each_tree_imports_its_own_package_in_new_processes(
    trees: tuple[SourceTree, SourceTree], outputs: Path
) -> None:
    code = "import realface, sys; open(sys.argv[1], 'w').write(realface.name)"
    found: list[str] = []

    def count(_cost: ProcessCost, out: Path) -> int:
        found.append(out.read_text())
        return 1

    program = Case(arguments=lambda out: ["-c", code, str(out)], measure=whole_process(count))
    run(trees, outputs, x=program)
    assert found == ["b", "a", "a", "b"]
    assert list(outputs.iterdir()) == []


def test_a_program_that_fails_ends_the_run_with_its_last_line(
    trees: tuple[SourceTree, SourceTree], outputs: Path
) -> None:
    code = "import realface, sys; print('one\\ntwo', file=sys.stderr); sys.exit(4 if realface.name == 'b' else 0)"
    program = Case(arguments=lambda _out: ["-c", code], measure=whole_process(lambda _cost, _out: 1))
    with pytest.raises(BenchmarkError) as raised:
        run(trees, outputs, decoding=program)
    assert str(raised.value) == (
        "decoding failed with old (exit code 4): two; give a revision or files with which it runs"
    )


def test_a_program_that_fails_without_a_word_is_named_too(trees: tuple[SourceTree, SourceTree], outputs: Path) -> None:
    program = Case(arguments=lambda _out: ["-c", "raise SystemExit(4)"], measure=whole_process(lambda _cost, _out: 1))
    with pytest.raises(BenchmarkError, match=r"x failed with old \(exit code 4\): no message; "):
        run(trees, outputs, x=program)


def test_a_package_from_elsewhere_is_refused(trees: tuple[SourceTree, SourceTree], outputs: Path) -> None:
    shutil.rmtree(trees[1].sources / "realface")
    with pytest.raises(BenchmarkError) as raised:
        run(trees, outputs, x=case("x"))
    text = str(raised.value)
    assert text.startswith("Python imports realface from ")
    assert text.endswith(
        f", not from {trees[1].sources}; install the package with `pip install -e .` and run the benchmark again"
    )


def test_sources_that_change_meanwhile_end_the_run(
    trees: tuple[SourceTree, SourceTree], outputs: Path, ran: Ran
) -> None:
    def edited(_cost: ProcessCost, _out: Path) -> int:
        (trees[0].sources / "realface" / "new.py").touch()
        return 1

    with pytest.raises(BenchmarkError) as raised:
        run(trees, outputs, repeats=5, x=case("x", edited))
    assert str(raised.value) == f"files in {trees[0].sources} changed during the benchmark; run it again"
    assert len(ran) == 2


def test_the_table_shows_both_trees_and_their_ratio() -> None:
    def stats(value: float) -> dict[str, float]:
        return {"median": value, "min": value / 2, "max": value * 2}

    side = {
        "wall_s": stats(1),
        "cpu_s": stats(2),
        "peak_bytes": stats(8e6),
        "per_s": stats(32),
        "count": 32,
    }
    ratio = {"wall_s": stats(1), "cpu_s": stats(2), "peak_bytes": stats(4)}
    result = {
        "against": {"revision": "v1", "commit": "b" * 40, "this_commit": "a" * 40 + "-dirty"},
        "unit": "frames",
        "cases": {
            "same": {"this": side, "other": side, "ratio": ratio},
            "fewer": {"this": {**side, "count": 1}, "other": {**side, "count": 4}, "ratio": ratio},
        },
    }
    assert [" ".join(line.split()) for line in comparison_table(result)][:7] == [
        "this tree (aaaaaaaaaaaa with uncommitted changes) against v1 (bbbbbbbbbbbb)",
        "wall and CPU seconds, peak MB of the largest process, frames per second",
        "same: 32 frames",
        "this tree 1.000 ( 0.500 - 2.000) 2.000 ( 1.000 - 4.000) 8 ( 4 - 16) 32.00 ( 16.00 - 64.00)",
        "v1 1.000 ( 0.500 - 2.000) 2.000 ( 1.000 - 4.000) 8 ( 4 - 16) 32.00 ( 16.00 - 64.00)",
        "ratio 1.000 ( 0.500 - 2.000) 2.000 ( 1.000 - 4.000) 4.000 ( 2.000 - 8.000)",
        "fewer: 1 frame (v1: 4)",
    ]
