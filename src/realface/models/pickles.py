"""What torch pickled, read without executing any of it."""

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

# what reading raises over files that are damaged or something else; the pickle documentation names the builtins
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
"""NumPy's types that are read, by kind and bytes."""
BYTE_ORDERS = frozenset("<>=|")


class NumberType:
    """Stands in for `numpy.dtype`, which a damaged or hostile file could use to crash the process.

    Args:
        code: such as `f8`.
        _options: what `numpy.dtype` takes besides; of no meaning for a number.
    """

    def __init__(self, code: str, *_options: bool) -> None:
        self.code = code
        self.byte_order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.byte_order = state[1]  # behind the version of the state


def number(kind: NumberType, raw: bytes) -> float | int | bool:
    """Stands in for `numpy.core.multiarray.scalar`: the plain number that the bytes are."""
    if kind.code not in NUMBER_CODES or kind.byte_order not in BYTE_ORDERS:
        raise ValueError(f"NumPy's type {kind.byte_order}{kind.code} is no number that is read")
    value: float | int | bool = np.frombuffer(raw, np.dtype(kind.byte_order + kind.code)).item()
    return value


# numpy 2 moved `scalar` to `_core`; a file names the place where it was when the file was written
STAND_INS: tuple[tuple[Any, str], ...] = (
    (number, "numpy.core.multiarray.scalar"),
    (number, "numpy._core.multiarray.scalar"),
    (NumberType, "numpy.dtype"),
)


def read_pickle(path: Path) -> Any:
    """The tensors, numbers, texts, lists and mappings of a file that `torch.save` wrote, in its new format or its old.

    NumPy's numbers, as which released checkpoints hold their best metric, come as plain ones, tensors on the CPU.

    Raises:
        MissingInputError: no such file.
        ArtifactError: it is a folder, empty, damaged, no file of torch's, or would have to execute something; the text
            names what.
    """
    if existing(path, what="checkpoint").is_dir():
        raise ArtifactError(f"{path} is a folder", hint="give the checkpoint's file")
    if path.stat().st_size == 0:
        raise ArtifactError(f"{path} is empty", hint="copy or download it again")
    try:
        with _only_stand_ins_allowed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickles that others wrote before it fails at them
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        raise _refusal(path, error) from error


@contextmanager
def _only_stand_ins_allowed() -> Iterator[None]:
    """Torch's list belongs to the whole process: what others put there is not allowed here, and is back afterwards."""
    others = get_safe_globals()
    clear_safe_globals()
    add_safe_globals(list(STAND_INS))
    try:
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(others)


def _refusal(path: Path, error: Exception) -> ArtifactError:
    # torch wraps what its unpickler found into advice on how to execute the file nevertheless
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
    if not any(letter.isalpha() for letter in reason):  # an unknown opcode is no more than a KeyError of its number
        reason = f"{type(found).__name__} {reason}".rstrip()
    return ArtifactError(
        f"{path} is damaged or not what torch.save writes ({reason})",
        hint="check that it is the right file, or copy it again",
    )
