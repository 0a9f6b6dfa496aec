import json

import pytest

from realface.bench.clip import ClipSize
from realface.bench.prepare_bench import bench_prepare, prepare_table

CLIP = ClipSize(height=180, width=320, fps=5, duration_s=1.0)


def test_one_process_two_and_every_stage_are_timed() -> None:
    result = bench_prepare(repeats=1, clips=[CLIP, CLIP], quiet=True)
    assert json.loads(json.dumps(result)) == result
    assert (result["num_videos"], result["num_faces"]) == (2, 10)
    assert list(result["processes"]) == ["1", "2"]
    for timing in result["processes"].values():
        assert timing["faces_per_s"]["median"] * timing["seconds"]["median"] == pytest.approx(10)
    assert result["processes"]["1"]["times_as_fast"]["median"] == 1
    assert list(result["stages"]) == ["decode", "find", "crop", "write", "hash"]
    assert abs(sum(stage["share"]["median"] for stage in result["stages"].values()) - 1) < 1e-9


def test_the_table_names_faces_processes_and_stages() -> None:
    three = {"median": 1.0, "min": 0.5, "max": 2.0}
    timing = {"seconds": three, "faces_per_s": three, "times_as_fast": three}
    share = {"median": 0.25, "min": 0.25, "max": 0.25}
    result = {
        "num_videos": 7,
        "num_faces": 224,
        "processes": {"1": timing, "2": timing},
        "stages": {"decode": {"seconds": three, "share": share}},
    }
    lines = prepare_table(result)
    assert "224 faces of 7 videos" in lines[0]
    assert lines[1].split()[:2] == ["1", "process"]
    assert lines[2].split()[:2] == ["2", "processes"]
    assert lines[-1].split()[0] == "decode"
    assert "25.0%" in lines[-1]
