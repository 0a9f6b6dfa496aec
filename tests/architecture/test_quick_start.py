from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ["torch", "torchvision", "timm", "lightning", "cv2", "av", "numpy", "pyarrow", "sklearn", "matplotlib"]

PROGRAM = f"""
import contextlib, io, json, sys
from typer.main import get_command
from realface.cli.main import app, run

def pages(command, words):
    yield words
    for name, inner in getattr(command, "commands", {{}}).items():
        yield from pages(inner, [*words, name])

codes = {{}}
for words in pages(get_command(app), []):
    with contextlib.redirect_stdout(io.StringIO()) as page:
        codes[" ".join(words)] = run([*words, "--help"])
    assert "Usage" in page.getvalue(), words
heavy = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps({{"codes": codes, "heavy": heavy}}))
"""


def imported_by(program: str) -> list[str]:
    """The heavy packages that a fresh Python has imported after `program`."""
    probe = f"import sys\n{program}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return answer.stdout.split()


def test_every_help_page_is_printed_without_importing_anything_heavy() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    result = json.loads(answer.stdout)
    assert set(result["codes"].values()) == {0}
    assert {"", "detect", "manifest check"} <= result["codes"].keys()
    assert result["heavy"] == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert imported_by("import realface") == []


def test_the_names_of_the_package_are_there_on_first_use() -> None:
    assert "torch" in imported_by("import realface; realface.Detector, realface.load_network")
