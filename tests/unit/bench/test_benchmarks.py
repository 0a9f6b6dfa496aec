from pathlib import Path
from typing import Any

import pytest

from realface.bench import benchmarks
from realface.bench.benchmarks import (
    BENCHMARKS,
    Benchmark,
    BenchSettings,
    comparable,
    run_benchmark,
    run_comparison,
    table_of,
)
from realface.bench.comparison import Comparison
from realface.bench.source_trees import SourceTree


def test_verdict_loader_decoding_manifests_and_both_methods_can_be_timed() -> None:
    assert {"verdict", "loader", "decode", "prepare", "manifest", "recce", "rffr"} <= BENCHMARKS.keys()


def test_a_result_says_what_was_timed_how_often_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Benchmark("how fast one is", lambda settings: {"seconds": settings.repeats / 2}, lambda result: [])
    monkeypatch.setitem(BENCHMARKS, "one", one)
    result = run_benchmark("one", BenchSettings(repeats=3))
    assert (result["bench"], result["repeats"], result["seconds"]) == ("one", 3, 1.5)
    assert {"processor", "cores", "commit"} <= result["machine"].keys()


def test_the_table_opens_with_subject_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Benchmark("how fast one is", lambda settings: {}, lambda result: [f"  {result['seconds']} s"])
    monkeypatch.setitem(BENCHMARKS, "one", one)
    result = {"bench": "one", "repeats": 3, "seconds": 2, "machine": {"processor": "Fast One", "threads": 2}}
    assert table_of({**result, "load_average": 1.26}) == [
        "one: how fast one is",
        "Fast One, 2 threads, load 1.3 before; median of 3 (least - most)",
        "  2 s",
    ]
    assert table_of({**result, "load_average": None})[1] == "Fast One, 2 threads; median of 3 (least - most)"


def test_every_setting_of_the_verdict_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(benchmarks, "bench_verdict", lambda *models, **settings: given.append((models, settings)) or {})
    models = {"one": Path("one")}
    run_benchmark("verdict", BenchSettings(repeats=2, models=models, device="cpu", batch_size=3, num_frames=4))
    assert given == [((models,), {"repeats": 2, "device": "cpu", "batch_size": 3, "num_frames": 4})]


def test_every_setting_of_recce_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(benchmarks, "bench_recce", lambda *models, **settings: given.append((models, settings)) or {})
    models = {"one": Path("one"), "two": Path("two")}
    run_benchmark("recce", BenchSettings(repeats=2, models=models, device="cpu", crops=Path("faces")))
    run_benchmark("recce", BenchSettings())
    assert given == [
        ((Path("one"),), {"repeats": 2, "device": "cpu", "crops": Path("faces")}),
        ((None,), {"repeats": 5, "device": "auto", "crops": None}),
    ]


def test_every_setting_of_preparing_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(benchmarks, "bench_prepare", lambda *videos, **settings: given.append((videos, settings)) or {})
    run_benchmark("prepare", BenchSettings(repeats=2, videos=Path("videos")))
    assert given == [((Path("videos"),), {"repeats": 2})]


def test_every_setting_of_rffr_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(benchmarks, "bench_rffr", lambda **settings: given.append(settings) or {})
    run_benchmark("rffr", BenchSettings(repeats=2, device="cpu", crops=Path("faces")))
    assert given == [{"repeats": 2, "device": "cpu", "crops": Path("faces")}]


def test_decoding_preparing_and_verdicts_can_be_compared_with_a_commit() -> None:
    assert comparable() == ["verdict", "decode", "prepare"]


def test_a_comparison_gets_settings_trees_and_two_empty_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = (SourceTree("this tree", "a" * 40, Path("a")), SourceTree("old", "b" * 40, Path("b")))
    made = Comparison("how fast two are", "frames", {}, {})
    given: list[Any] = []

    def make(settings: BenchSettings, folder: Path) -> Comparison:
        given.append((settings, list(folder.iterdir())))
        return made

    def compare(comparison: Comparison, both: Any, *, repeats: int, folder: Path, title: str) -> dict[str, Any]:
        given.append((comparison, both, repeats, title, list(folder.iterdir())))
        against = {"revision": "old", "commit": "b" * 40, "this_commit": "a" * 40}
        return {"against": against, "summary": comparison.summary, "unit": "frames", "cases": {}}

    monkeypatch.setattr(benchmarks, "compare", compare)
    one = Benchmark("how fast one is", lambda settings: {}, lambda result: [], make)
    monkeypatch.setitem(BENCHMARKS, "one", one)
    result = run_comparison("one", BenchSettings(repeats=3), trees)
    assert given == [(BenchSettings(repeats=3), []), (made, trees, 3, "bench one", [])]
    assert (result["bench"], result["repeats"], result["against"]["revision"]) == ("one", 3, "old")
    assert {"processor", "cores", "commit"} <= result["machine"].keys()
    lines = table_of(result)
    assert lines[0] == "one: how fast two are"
    assert lines[2] == "  this tree (aaaaaaaaaaaa) against old (bbbbbbbbbbbb)"


def test_settings_of_comparisons_reach_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[Any] = []
    for name in ("compare_decoding", "compare_preparing", "compare_verdicts"):
        monkeypatch.setattr(benchmarks, name, lambda folder, **settings: given.append((folder, settings)))
    models = {"one": Path("one")}
    settings = BenchSettings(models=models, device="cpu", batch_size=3, num_frames=4, videos=Path("videos"))
    for name in ("decode", "prepare", "verdict"):
        make = BENCHMARKS[name].comparison
        assert make is not None
        make(settings, tmp_path)
    assert given == [
        (tmp_path, {"videos": Path("videos")}),
        (tmp_path, {"videos": Path("videos")}),
        (tmp_path, {"models": models, "device": "cpu", "batch_size": 3, "num_frames": 4}),
    ]
