"""The examples in docstrings are run, but those that need videos or a training, and each public name has one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

import realface

PACKAGE = Path(realface.__file__).parent
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
PUBLIC = [name for name in realface.__all__ if name != "__version__"]
FEWEST_EXAMPLES = 20


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_the_examples_of_a_module_are_right(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(module_of(path))
    failed, _ = doctest.testmod(module, extraglobs={"Path": Path, "np": np}, optionflags=doctest.ELLIPSIS)
    assert failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_has_a_docstring_with_an_example(name: str) -> None:
    assert "Example:" in (getattr(realface, name).__doc__ or "")


def test_the_most_used_functions_have_an_example() -> None:
    assert sum(path.read_text(encoding="utf-8").count("Example:\n") for path in FILES) >= FEWEST_EXAMPLES


def test_dir_lists_the_public_names() -> None:
    assert dir(realface) == sorted(realface.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'realface' has no attribute 'nothing'"):
        _ = realface.nothing
