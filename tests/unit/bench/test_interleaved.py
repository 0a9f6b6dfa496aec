import time
from functools import partial

import numpy as np
import pytest

from realface.bench.interleaved import Variant, time_interleaved
from realface.bench.memory import STATUS_FILE

MEGABYTE = 1_000_000


def test_variants_are_timed_in_their_own_processes_with_their_memory() -> None:
    rounds: list[int] = []
    variants = {
        "large": Variant(partial, (np.ones, 200 * MEGABYTE, np.uint8)),
        "long": Variant(partial, (time.sleep, 0.1), keeps_memory=False),
    }
    timed = time_interleaved(variants, repeats=2, advance=lambda: rounds.append(1))
    assert len(rounds) == 2
    assert [len(variant.seconds) for variant in timed.values()] == [2, 2]
    assert min(timed["long"].seconds) >= 0.1
    if not STATUS_FILE.is_file() or "VmHWM" not in STATUS_FILE.read_text():
        pytest.skip("this system does not tell a process's own peak")
    more = timed["large"].peak_bytes["resident"] - timed["long"].peak_bytes["resident"]
    assert 150 * MEGABYTE < more < 250 * MEGABYTE
