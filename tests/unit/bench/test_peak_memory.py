import sys
from pathlib import Path

import numpy as np
import pytest

from realface.bench.peak_memory import peak_memory_of, peak_resident_bytes

MEGABYTE = 1_000_000


def test_the_peak_is_of_the_new_process_and_grows_with_what_it_holds() -> None:
    little = peak_memory_of(np.ones, MEGABYTE, np.uint8)["resident"]
    much = peak_memory_of(np.ones, 200 * MEGABYTE, np.uint8)["resident"]
    assert 150 * MEGABYTE < much - little < 250 * MEGABYTE


def test_the_system_gives_the_peak_in_kilobytes(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmPeak:\t  900 kB\nVmHWM:\t  12 kB\nVmRSS:\t 10 kB\n")
    assert peak_resident_bytes(tmp_path / "status") == 12 * 1024


@pytest.mark.skipif(sys.platform == "win32", reason="has no getrusage")
def test_other_systems_are_asked_by_getrusage(tmp_path: Path) -> None:
    assert peak_resident_bytes(tmp_path / "missing") > 10 * MEGABYTE
