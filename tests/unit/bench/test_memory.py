import sys
from pathlib import Path

import pytest

from realface.bench.memory import peak_resident_bytes, private_bytes

MEGABYTE = 1_000_000


def test_the_system_gives_the_peak_in_kilobytes(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmPeak:\t  900 kB\nVmHWM:\t  12 kB\nVmRSS:\t 10 kB\n")
    assert peak_resident_bytes(tmp_path / "status") == 12 * 1024


@pytest.mark.skipif(sys.platform == "win32", reason="has no getrusage")
def test_other_systems_are_asked_by_getrusage(tmp_path: Path) -> None:
    assert peak_resident_bytes(tmp_path / "missing") > 10 * MEGABYTE


def test_private_memory_is_the_clean_and_the_dirty(tmp_path: Path) -> None:
    lines = ["55d0-7ffc ---p 00000000 00:00 0   [rollup]", "Rss: 900 kB", "Pss: 300 kB", "Shared_Clean: 700 kB"]
    (tmp_path / "smaps").write_text("\n".join([*lines, "Private_Clean:  20 kB", "Private_Dirty:\t 100 kB"]) + "\n")
    assert private_bytes(tmp_path / "smaps") == 120 * 1024


def test_private_memory_is_not_known_where_the_system_does_not_tell(tmp_path: Path) -> None:
    (tmp_path / "smaps").write_text("Rss: 900 kB\n")
    assert private_bytes(tmp_path / "smaps") is None
    assert private_bytes(tmp_path / "missing") is None
