import json
import multiprocessing
import sys
from typing import Any

import pytest

from realface.bench.manifest_bench import PEAKS, STEPS, bench_manifest, manifest_table

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return bench_manifest(repeats=1, num_rows=3000, quiet=True)


def test_every_step_is_timed(result: dict[str, Any]) -> None:
    assert json.loads(json.dumps(result)) == result
    assert list(result["seconds"]) == list(STEPS)
    assert all(seconds["min"] > 0 for seconds in result["seconds"].values())
    assert (result["size"]["rows"], result["size"]["videos"]) == (3000, 94)
    assert result["size"]["file_bytes"] > 100_000


def test_opening_is_measured_before_torch_is_there(result: dict[str, Any]) -> None:
    opened, drawn, loaded = (result["peak_bytes"][moment]["median"] for moment in PEAKS)
    assert 50 * MEGABYTE < opened < drawn - 100 * MEGABYTE < drawn <= loaded


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what a process has for itself")
def test_the_memory_of_workers_is_told_by_how_they_start(result: dict[str, Any]) -> None:
    workers = result["workers"]
    assert workers["start_method"] == multiprocessing.get_start_method()
    assert workers["worker_bytes"]["median"] > MEGABYTE


def test_the_table_has_a_line_for_every_number() -> None:
    stats = {"median": 0.25, "min": 0.125, "max": 0.5}
    many = {"median": 2e8, "min": 1e8, "max": 3e8}
    workers = {"number": 4, "start_method": "fork", "rows_each": 4000, "path_bytes": 166_000_000, "worker_bytes": many}
    measured = {
        "size": {"rows": 3000, "videos": 94, "file_bytes": 467_000_000},
        "seconds": dict.fromkeys(STEPS, stats),
        "peak_bytes": dict.fromkeys(PEAKS, many),
        "workers": workers,
    }
    lines = [" ".join(line.split()) for line in manifest_table(measured)]
    assert lines[0] == "3000 rows of 94 videos, a file of 467 MB"
    assert lines[1] == "opened 0.250 ( 0.125 - 0.500) s"
    assert lines[6:9] == [
        "peak after opening 200 ( 100 - 300) MB",
        "peak after sampling 200 ( 100 - 300) MB",
        "peak after loading 200 ( 100 - 300) MB",
    ]
    told = "private memory of the largest of 4 workers (fork) after 4000 rows each: "
    assert lines[9:] == [told + "200 (100 - 300) MB; the paths take 166 MB"]
    unknown = {**measured, "workers": {**workers, "worker_bytes": None}}
    assert told + "not reported by this system; the paths take 166 MB" in manifest_table(unknown)[-1]
