import json
import platform
from pathlib import Path

from realface.bench.machine import describe_machine, processor_name


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
