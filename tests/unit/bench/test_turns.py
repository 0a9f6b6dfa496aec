import time
from functools import partial

import numpy as np
import pytest

from realface.bench.memory import STATUS_FILE
from realface.bench.turns import Way, time_by_turns

MEGABYTE = 1_000_000


def test_ways_are_timed_in_their_own_processes_with_their_memory() -> None:
    rounds: list[int] = []
    ways = {
        "large": Way(partial, (np.ones, 200 * MEGABYTE, np.uint8)),
        "long": Way(partial, (time.sleep, 0.1), keeps_memory=False),
    }
    timed = time_by_turns(ways, repeats=2, advance=lambda: rounds.append(1))
    assert len(rounds) == 2
    assert [len(way.seconds) for way in timed.values()] == [2, 2]
    assert min(timed["long"].seconds) >= 0.1
    if not STATUS_FILE.is_file() or "VmHWM" not in STATUS_FILE.read_text():
        pytest.skip("this system does not tell a process's own peak")
    more = timed["large"].peak_bytes["resident"] - timed["long"].peak_bytes["resident"]
    assert 150 * MEGABYTE < more < 250 * MEGABYTE
