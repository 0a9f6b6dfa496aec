import subprocess
import sys

import pytest

MEASURE = """
import resource
import numpy as np
from realface.core.allocator import keep_freed_memory
print(keep_freed_memory() if {kept} else False)
np.ones(40_000_000, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(40_000_000, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(kept: bool) -> tuple[str, int]:
    """What the call said, and how many pages the system had to give for ten large blocks, one after the other."""
    result = subprocess.run(
        [sys.executable, "-c", MEASURE.format(kept=kept)], capture_output=True, text=True, check=True
    )
    took_effect, pages = result.stdout.split()
    return took_effect, int(pages)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc gives memory back each time")
def test_large_blocks_are_used_again() -> None:
    took_effect, pages = new_pages(kept=True)
    if took_effect == "False":
        pytest.skip("this C library is not glibc")
    given_back = new_pages(kept=False)[1]
    if given_back == 0:
        pytest.skip("this system does not count pages")
    assert pages < given_back / 5


def test_other_systems_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from realface.core.allocator import keep_freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
