"""Read the checkpoints of authors: weights inside mappings and behind prefixes, and the values stored with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realface.core.errors import ArtifactError
from realface.core.files import sha256_of
from realface.models.pickles import read_pickle
from realface.models.weights import read_weights

WRAPPERS = ("model", "state_dict", "model_state_dict", "network", "net")
"""Keys of the state dict in checkpoints: `model` in the releases of RECCE and MAE, `state_dict` in RFFR's."""
LICENCE = "as of the released weights"
Plain = str | int | float


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a released file, and the rest of the file's content.

    Attributes:
        file: path of the file.
        tensors: the weights by name.
        around: the whole content of the file; for a bare state dict, the state dict itself.
        prefix: prefix that was removed from the names.
    """

    file: Path
    tensors: dict[str, Tensor]
    around: Mapping[str, Any]
    prefix: str = ""

    @classmethod
    def read(cls, file: Path) -> Checkpoint:
        """Read a file saved by torch, or a `.safetensors` file, without executing its content.

        Raises:
            MissingInputError: no such file.
            ArtifactError: the file cannot be read without executing it, or contains no tensors by name.
        """
        content = read_weights(file) if file.suffix == ".safetensors" else read_pickle(file)
        return cls(file, _state_dict_in(content, where=str(file)), content)

    @property
    def where(self) -> str:
        """Name of the file in errors."""
        return f"{self.file} (names without {self.prefix!r})" if self.prefix else str(self.file)

    def without_prefix(self, known: Container[str]) -> Checkpoint:
        """Return a copy without the prefix, such as `module.`, that most of the known names have in the file.

        A name without that prefix gets a note, so that it counts as unknown and cannot hide another name.
        """
        counts = Counter(
            name.removesuffix(inner) for name in self.tensors for inner in _inner_names(name) if inner in known
        )
        prefix = counts.most_common(1)[0][0] if counts else ""
        renamed = {
            name.removeprefix(prefix) if name.startswith(prefix) else f"{name} (outside {prefix!r})": tensor
            for name, tensor in self.tensors.items()
        }
        return replace(self, tensors=renamed, prefix=prefix)

    def without(self, *unused: str) -> Checkpoint:
        """Return a copy without the weights whose names start with the given prefixes."""
        kept = {name: tensor for name, tensor in self.tensors.items() if not name.startswith(unused)}
        return replace(self, tensors=kept)

    def require_numbers(self) -> None:
        """Check that all weights are plain, finite numbers.

        Raises:
            ArtifactError: invalid weights; the message gives their number and the first name.
        """
        broken = [name for name, tensor in self.tensors.items() if not _holds_numbers(tensor)]
        if broken:
            raise ArtifactError(
                f"{self.file} has tensors without plain, finite numbers, {len(broken)} in all, the first is "
                f"{broken[0]}",
                hint="take the checkpoint of another step, saved in float32",
            )

    def said(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the values stored under these names next to the weights, without values that JSON cannot store."""
        found = {name: _plain(self.around[name]) for name in names if name in self.around}
        return {name: value for name, value in found.items() if value is not None}

    def origin(self, what: str) -> dict[str, Any]:
        """Return the file's entry for an artifact's `trained_on`."""
        note = f"the imported {what}; it does not say its training set"
        return {"name": self.file.name, "sha256": sha256_of(self.file), "note": note}


def _state_dict_in(checkpoint: Any, *, where: str) -> dict[str, Tensor]:
    """Return the state dict: the checkpoint itself, or a mapping inside it under a usual name, at any depth."""
    content = checkpoint
    seen: list[int] = []  # a pickle can contain itself
    while isinstance(content, Mapping) and id(content) not in seen:
        seen.append(id(content))
        content = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), content)
    holds = isinstance(content, Mapping) and len(content) > 0
    kind = "an empty state dict" if isinstance(content, Mapping) else f"a {type(content).__name__}"
    if not holds or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        got = f"the keys {', '.join(sorted(map(str, content))[:12])}" if holds else kind
        raise ArtifactError(
            f"{where} must hold tensors by name, alone or under {', '.join(WRAPPERS)}, got {got}",
            hint="save the network's state dict",
        )
    return {str(name): tensor for name, tensor in content.items()}


def _inner_names(name: str) -> Iterator[str]:
    """Yield a name and its suffixes after each dot: `a.b.c` -> `a.b.c`, `b.c`, `c`."""
    while name:
        yield name
        name = name.partition(".")[2]


def _holds_numbers(tensor: Tensor) -> bool:
    is_plain = tensor.layout is torch.strided and not (tensor.is_meta or tensor.is_complex())
    return is_plain and bool(tensor.isfinite().all())


def _plain(value: Any) -> Plain | list[Plain] | dict[str, Plain] | None:
    """Return a number or text, or a list or mapping of numbers and texts, for JSON; None for any other value."""
    if isinstance(value, Mapping):
        by_name = {str(name): _scalar(each) for name, each in value.items()}
        plain = {name: each for name, each in by_name.items() if each is not None}
        return plain if plain and len(plain) == len(by_name) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        listed = [each for each in map(_scalar, value) if each is not None]
        return listed if listed and len(listed) == len(value) else None
    return _scalar(value)


def _scalar(value: Any) -> Plain | None:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int) else None
