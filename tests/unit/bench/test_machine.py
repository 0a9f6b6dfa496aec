import json
import os
import platform
from pathlib import Path

import pytest

from realface.bench.machine import describe_machine, load_average, processor_name


def test_the_processor_is_named_as_linux_names_it(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: Fast One @ 3 GHz\n\nprocessor\t: 1\nmodel name\t: Fast One\n")
    assert processor_name(file) == "Fast One @ 3 GHz"


def test_where_there_is_no_such_file_python_names_it(tmp_path: Path) -> None:
    assert processor_name(tmp_path / "none") in (platform.processor(), platform.machine())


def test_the_machine_is_described_without_its_name() -> None:
    text = json.dumps(describe_machine())
    assert '"threads"' in text
    assert f'"{platform.node()}"' not in text


def test_the_load_is_that_of_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 2.5, 3.5), raising=False)
    assert load_average() == 1.5


def test_a_system_that_does_not_count_the_load_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert load_average() is None
