"""Slow re-implementations of the authors' releases, which are in the repository but not in the installed package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from realface.bench.source_trees import CHECKOUT
from realface.core.errors import BenchmarkError

REFERENCES = CHECKOUT / "benchmarks" / "references"
"""Folder of the re-implementations, one file per method; missing unless the package runs from a checkout."""


def has_reference(method: str, folder: Path = REFERENCES) -> bool:
    """Return whether the re-implementation of a method is available.

    Args:
        method: name of the method, such as "recce".
        folder: folder of the re-implementations.
    """
    return (folder / f"{method}.py").is_file()


def load_reference(method: str, folder: Path = REFERENCES) -> ModuleType:
    """Import the re-implementation of a method as its authors released it.

    Args:
        method: name of the method, such as "recce".
        folder: folder of the re-implementations.

    Returns:
        The module `benchmarks/references/METHOD.py`; the same object on every call.

    Raises:
        BenchmarkError: the file is missing, because the package does not run from a checkout.
    """
    file = folder / f"{method}.py"
    if not has_reference(method, folder):
        raise BenchmarkError(
            f"benchmark {method} compares with a re-implementation of the authors' release that is not installed: "
            f"{file} is missing",
            hint="clone the repository, install it with `pip install -e .`, and run the benchmark there",
        )
    name = f"realface_reference_{method}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
