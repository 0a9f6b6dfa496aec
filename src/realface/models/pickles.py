"""Read files that torch pickled, without executing code from them."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

from realface.core.errors import ArtifactError
from realface.core.files import existing

# errors from reading a damaged file or another kind of file; the pickle documentation lists the builtins
DAMAGE = (
    pickle.UnpicklingError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
NUMBER_CODES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
"""Supported NumPy types, by kind and number of bytes."""
BYTE_ORDERS = frozenset("<>=|")


class NumberType:
    """Safe replacement for `numpy.dtype`, which a damaged or hostile file could use to crash the process.

    Args:
        code: kind and number of bytes, such as `f8`.
        _options: other arguments of `numpy.dtype`; ignored, because they do not matter for a number.
    """

    def __init__(self, code: str, *_options: bool) -> None:
        self.code = code
        self.byte_order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.byte_order = state[1]  # item 0 is the version of the state


def number(kind: NumberType, raw: bytes) -> float | int | bool:
    """Return the plain number in some bytes: a safe replacement for `numpy.core.multiarray.scalar`."""
    if kind.code not in NUMBER_CODES or kind.byte_order not in BYTE_ORDERS:
        raise ValueError(f"NumPy's type {kind.byte_order}{kind.code} is no number that is read")
    value: float | int | bool = np.frombuffer(raw, np.dtype(kind.byte_order + kind.code)).item()
    return value


# numpy 2 moved `scalar` to `_core`; a file contains the name from the time when it was written
STAND_INS: tuple[tuple[Any, str], ...] = (
    (number, "numpy.core.multiarray.scalar"),
    (number, "numpy._core.multiarray.scalar"),
    (NumberType, "numpy.dtype"),
)


def read_pickle(path: Path) -> Any:
    """Return the tensors, numbers, texts, lists and mappings of a `torch.save` file, in the new or the old format.

    Tensors are on the CPU. NumPy numbers, such as the best metric in released checkpoints, become plain numbers.

    Raises:
        MissingInputError: no such file.
        ArtifactError: the path is a folder; or the file is empty, damaged, not written by torch, or would execute code.
            The message names that code.
    """
    if existing(path, what="checkpoint").is_dir():
        raise ArtifactError(f"{path} is a folder", hint="give the checkpoint's file")
    if path.stat().st_size == 0:
        raise ArtifactError(f"{path} is empty", hint="copy or download it again")
    try:
        with _only_stand_ins_allowed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about foreign pickles before it fails
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        raise _refusal(path, error) from error


@contextmanager
def _only_stand_ins_allowed() -> Iterator[None]:
    """Allow only the stand-ins in torch's list of safe globals, and restore the list afterwards.

    The list is shared by the whole process, so it can contain entries from other code.
    """
    others = get_safe_globals()
    clear_safe_globals()
    add_safe_globals(list(STAND_INS))
    try:
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(others)


def _refusal(path: Path, error: Exception) -> ArtifactError:
    # torch's own message advises to execute the file; the unpickler's error is its context
    found = error.__context__ if isinstance(error.__context__, pickle.UnpicklingError) else error
    wanted = re.search(r"\bGLOBAL (\w[\w.]*\w) ", str(found))
    if wanted:
        return ArtifactError(
            f"{path} was not read, because reading it would execute {wanted[1]}",
            hint=(
                "if you trust its author, load it with torch where that can do no harm, and save only its state dict"
            ),
        )
    reason = str(found).partition("\n")[0]
    if not any(letter.isalpha() for letter in reason):  # for an unknown opcode: a KeyError with only a number
        reason = f"{type(found).__name__} {reason}".rstrip()
    return ArtifactError(
        f"{path} is damaged or not what torch.save writes ({reason})",
        hint="check that it is the right file, or copy it again",
    )
